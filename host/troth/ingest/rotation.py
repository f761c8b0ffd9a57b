"""A board's new key over its own link: asked for by its operator, registered once, confirmed.

The board learns of the wish with its next challenge and answers that one (troth.cddl `rotation`).
Cut off anywhere, it does the same again: what is registered already is only confirmed once more.
"""

from __future__ import annotations

from collections.abc import Callable

from ..core.errors import Rejected, UnknownSigner
from ..core.freshness import Challenge
from ..core.rotation import Rotation, check_rotation, voucher
from ..core.trust import SignKey
from ..store import KeyRow
from ..trouble import Trouble
from .pipeline import Pipeline
from .receipts import registered
from .replies import Problem


def take(pipeline: Pipeline, raw: bytes, find: Callable[[bytes], Challenge]) -> bytes:
    """The signed receipt over the key that is registered. Raises Problem, or NotTaken by `find`.

    `find` knows the challenge by the nonce; it is spent in the transaction that registers.
    """
    asked: list[Challenge] = []

    def seek(nonce: bytes) -> Challenge:
        asked.append(find(nonce))
        return asked[0]

    at = pipeline.clock()
    try:
        old = _held(pipeline, voucher(raw))
        found = check_rotation(raw, _sign_key(old), seek, now=at)
    except Rejected as err:
        raise Problem(400, err.code, str(err)) from err
    if not old.retired:
        _register(pipeline, raw, old, found, asked[0], at)
    elif not _follows(pipeline, old, found):
        raise Problem(409, "key.fork", "another key took its place")
    pipeline.forget(asked[0].session)
    return registered(pipeline.results, bytes.fromhex(old.ueid), found.new, at)


def _held(pipeline: Pipeline, kid: bytes) -> KeyRow:
    row = pipeline.store.key(kid)
    if row is None or row.public_key is None:
        raise UnknownSigner("key.unknown", "no enrolled key has this id", path="voucher/kid")
    return row


def _register(
    pipeline: Pipeline, raw: bytes, old: KeyRow, found: Rotation, asked: Challenge, at: int
) -> None:
    wanted = pipeline.store.rotations().get(old.device)
    if wanted is None or wanted.kid != old.kid:  # or a thief of the key had the board for good
        raise Problem(409, "key.unasked", "nobody asked for a new key of this board")
    new = KeyRow(found.new, old.device, old.ueid, found.public_key, origin=old.origin)
    try:
        pipeline.store.rotate_key(new, old.kid, asked.session, raw, at=at, actor="board")
    except Trouble as err:
        raise Problem(409, err.code, err.what) from err


def _follows(pipeline: Pipeline, old: KeyRow, found: Rotation) -> bool:
    """Is it registered already, in the very place of the old one?"""
    row = pipeline.store.key(found.new)
    if row is None or row.revoked is not None:
        return False
    return (row.device, row.epoch) == (old.device, old.epoch + 1)


def _sign_key(row: KeyRow) -> SignKey:
    revoked = row.revoked is not None and not row.retired
    ueid = bytes.fromhex(row.ueid)
    return SignKey(row.kid, row.device, ueid, row.public_key or b"", revoked)
