"""A board's word over the serial line: the answer to a challenge, and the first of all."""

from __future__ import annotations

import time
from base64 import b64decode
from dataclasses import replace
from typing import Any

from ..core.claims import ClaimsSet
from ..core.device import Provisioning
from ..core.errors import Rejected
from ..core.freshness import Challenge
from ..core.trust import KnownKey
from ..core.verify import Report, authenticated, described, parse_evidence
from ..store import Store
from ..trouble import Trouble
from . import enrol
from .enrol import Seen
from .order import Order, Preview, Verifier
from .serial import AGAIN, Board

_RELEASED = ("boot.firmware-known", "boot.files-known")


def first_word(
    board: Board, seen: Seen, order: Order, store: Store, verifier: Verifier
) -> dict[str, Any]:
    """First evidence, verified in memory; only then unit, key and record are written.

    A unit that is yet to be sealed is not finished: its evidence stays in the line's record,
    and its history begins with its first report from behind the seal.
    """
    now = int(time.time())
    key = enrol.known_key(seen, "", verifier.ring)
    before = enrol.check(store, seen, key.key_id, rekey=order.rekey)
    row = enrol.draft(
        store,
        seen,
        order.sale,
        before,
        name=order.name,
        given=order.sale_given,
        at=now,
    )
    challenge = verifier.challenge(bytes.fromhex(seen.ueid))
    raw = answer(board, challenge)
    report, claims_set = _verify(raw, seen, replace(key, device=row.id), challenge)
    line = Provisioning(now, seen.profile, seen.fuses, claims_set.digest)
    unit = enrol.registration(store, row, seen, line)
    found = verifier.preview(unit, report, claims_set, order.seal)
    _check_released(found, order)
    line = replace(line, failing=found.short)
    proof = (challenge.nonce, raw)
    done = enrol.enrol(store, before, row, seen, line, key.key_id, proof=proof, at=now)
    told = found.told if order.seal else verifier.submit(challenge.session, raw)
    return {**done, **told}


def _check_released(found: Preview, order: Order) -> None:
    """A sealed board is hard to mend: it must not leave the line with what nobody released."""
    strange = [duty for duty in _RELEASED if duty in found.short]
    if not strange or not order.seal or order.seal_anyway:
        return
    raise Trouble(
        "board.not-released",
        "the board runs what was not released: it is not sealed, and nothing was registered",
        why=str(found.told["because"].get(strange[0], strange[0])),
        fix="put the released app and --files on it, or release these: troth release add; "
        "--seal-anyway seals it as it is",
    )


def answer(board: Board, challenge: Challenge) -> bytes:
    """The board's evidence for a challenge, given over the serial line."""
    said = board.agent(f"answer('{challenge.nonce.hex()}')").get("evidence", "")
    try:
        return b64decode(said, validate=True)
    except (ValueError, TypeError) as err:
        raise Trouble("board.answer", "the board's evidence cannot be read", fix=AGAIN) from err


def _verify(
    raw: bytes, seen: Seen, key: KnownKey, challenge: Challenge
) -> tuple[Report, ClaimsSet]:
    try:
        report = authenticated(parse_evidence(raw), key, challenge, now=int(time.time()))
        claims_set = described(report, None)
    except Rejected as err:
        raise Trouble(
            err.code, "the board's first evidence is refused", why=str(err), fix=AGAIN
        ) from err
    if claims_set is None:
        raise Trouble("board.answer", "the board kept its claims-set back", fix=AGAIN)
    said = claims_set.claims
    if (said.chip, said.fuses) != (seen.chip, seen.fuses):
        raise Trouble(
            "board.contradicts",
            "the evidence tells of another chip than the line saw",
            fix="install the released firmware and agent, then try again",
        )
    return report, claims_set
