"""Receipts: the verifier's signed word that evidence is on disk; only then may a board forget it.

Not that it was believed or liked. Whoever asks must name the digests, so that nothing is told to
who does not have the bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cbor2

from ..formats.cose import bstr, signature1
from .replies import Problem
from .results import Results

MOST = 16  # digests in one receipt
_DIGEST_BYTES = 32
_RECEIVED = -80003
_REGISTERED = -80005
_HEADER = bytes.fromhex("a201261019fdea")  # {alg: ES256, typ: 65002}


def read_digests(raw: bytes) -> tuple[bytes, ...]:
    """1 to 16 SHA-256 digests, one after the other. Raises Problem `receipt.malformed`."""
    count, rest = divmod(len(raw), _DIGEST_BYTES)
    if rest or not 0 < count <= MOST:
        what = f"want 1 to {MOST} digests of {_DIGEST_BYTES} bytes"
        raise Problem(400, "receipt.malformed", what)
    return tuple(raw[i : i + _DIGEST_BYTES] for i in range(0, len(raw), _DIGEST_BYTES))


def receipt(results: Results, ueid: bytes, digests: Sequence[bytes], at: int) -> bytes:
    """A COSE_Sign1 over the digests, in the order in which they were asked for."""
    return _signed(results, {6: at, 256: ueid, _RECEIVED: list(digests)})


def registered(results: Results, ueid: bytes, kid: bytes, at: int) -> bytes:
    """The same over the id of the key by which this board is known from now on."""
    return _signed(results, {6: at, 256: ueid, _REGISTERED: kid})


def _signed(results: Results, said: dict[int, Any]) -> bytes:
    payload = cbor2.dumps(said)
    signature = results.sign(signature1(_HEADER, payload))
    return b"\xd2\x84" + bstr(_HEADER) + b"\xa0" + bstr(payload) + bstr(signature)
