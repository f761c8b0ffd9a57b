"""Bytes that real boards put on the wire, as the verifier kept them: the largest of each form.

`wire.full_bytes` is the token with its claims-set, `wire.unchanged_bytes` the token alone, which
is what a board sends while the verifier knows its set. HTTP and TLS come on top.
"""

from __future__ import annotations

import time

import boards
from figures import Figure, at_most

from troth.core.evidence import parse_evidence
from troth.store import Store

WAIT_S = 60


def measure() -> list[Figure]:
    store = boards.stage().store
    said = [_largest(store, name) for name in (boards.STOCK, boards.HARDENED)]
    return [
        at_most("wire.full_bytes", max(full for full, _ in said), "B", 2048),
        at_most("wire.unchanged_bytes", max(bare for _, bare in said), "B", 240),
    ]


def _largest(store: Store, name: str) -> tuple[int, int]:
    """The largest bundle and the largest bare token of one board, once it has sent both."""
    device = store.device(name)
    end = time.monotonic() + WAIT_S
    while device and time.monotonic() < end:
        raws = [row.raw for row in store.evidences(device.id)]
        bare = [len(raw) for raw in raws if parse_evidence(raw).claims_set is None]
        full = [len(raw) for raw in raws if parse_evidence(raw).claims_set is not None]
        if bare and full:
            return max(full), max(bare)
        time.sleep(0.5)
    raise RuntimeError(f"{name} did not send both forms within {WAIT_S} s")
