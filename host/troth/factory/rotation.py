"""A new key for an enrolled board, over its serial line; what was cut off goes on where it was.

The board makes its next key and keeps it waiting, the registry takes it for the old one in one
transaction, then the board puts it in force. A power cut leaves it with the old key or the new one
and with the other beside it: the same command again sees which, and does what is left.
"""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass

from ..core.errors import Rejected
from ..core.rotation import check_rotation
from ..core.trust import SignKey
from ..formats import eat
from ..store import DeviceRow, KeyRow, Store
from ..trouble import Trouble
from .order import Verifier
from .serial import AGAIN, Board


@dataclass(frozen=True, slots=True)
class Rotated:
    """Which key gave way to which; `finished`: the registry had it from a run that was cut off."""

    old: bytes
    new: bytes
    finished: bool


def rotate(
    board: Board, device: DeviceRow, store: Store, verifier: Verifier, *, at: int
) -> Rotated:
    """Ends with the new key in force on both sides. Raises Trouble: run it again."""
    said = board.agent("identify()")
    if said.get("mac") != device.mac:
        raise Trouble(
            "id.mismatch",
            f"the board on {board.port} is not {device.name}",
            why=f"MAC {said.get('mac')}, want {device.mac}",
            fix="name the device that is there: troth device list",
        )
    held = in_force(store, device)
    if said.get("kid") != held.kid.hex():
        return _finish(board, device, store, held, str(said.get("kid")))
    challenge = verifier.challenge(bytes.fromhex(device.ueid))
    raw = _message(board, challenge.nonce)
    try:
        found = check_rotation(raw, _sign_key(held), challenge, now=at)
    except Rejected as err:
        what = "the board's new key is refused"
        raise Trouble(err.code, what, why=str(err), fix=AGAIN) from err
    new = KeyRow(found.new, device.id, device.ueid, found.public_key, origin=held.origin)
    store.rotate_key(new, held.kid, challenge.session, raw, at=at, actor="line")
    board.agent(f"adopt('{found.new.hex()}')")
    return Rotated(held.kid, found.new, finished=False)


def in_force(store: Store, device: DeviceRow) -> KeyRow:
    """The key that can be replaced. Trouble `key.none`, `key.burned`."""
    held = [key for key in store.keys(device.id) if key.revoked is None]
    if not held:
        what = f"{device.name} has no key that is in force"
        raise Trouble("key.none", what, fix="enrol a new one: troth provision --port P --rekey")
    if held[-1].algorithm == eat.HMAC_256:
        raise Trouble(
            "key.burned",
            f"the key of {device.name} lies in a fuse, which is burned once",
            fix='a new key needs another chip, or "signer": "soft" and troth provision --rekey',
        )
    return held[-1]


def _finish(board: Board, device: DeviceRow, store: Store, held: KeyRow, kid: str) -> Rotated:
    """The registry is ahead of the board: its next key may be the one that waits there."""
    try:
        board.agent(f"adopt('{held.kid.hex()}')")
    except Trouble as err:
        if err.code != "agent.key.other":
            raise
        was = any(key.kid.hex() == kid for key in store.keys(device.id))
        raise Trouble(
            "key.fork" if was else "key.unknown",
            f"this board's key is not the one of {device.name}, and that one does not wait here",
            why=f"the board has {kid}, in force is {held.kid.hex()}"
            + (": the board, or a copy of it, was given another key since" if was else ""),
            fix="erase the board and enrol it anew: troth provision --port P --rekey",
        ) from err
    return Rotated(bytes.fromhex(kid), held.kid, finished=True)


def _message(board: Board, nonce: bytes) -> bytes:
    said = board.agent(f"rotate('{nonce.hex()}')").get("rotation", "")
    try:
        return b64decode(said, validate=True)
    except (ValueError, TypeError) as err:
        raise Trouble("board.answer", "the board's new key cannot be read", fix=AGAIN) from err


def _sign_key(row: KeyRow) -> SignKey:
    return SignKey(row.kid, row.device, bytes.fromhex(row.ueid), row.public_key or b"")
