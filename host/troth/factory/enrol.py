"""The registry's side of the line: one unit, one key, and what the line saw when it was made."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from ..core.device import Lifecycle, Profile, Provisioning, Registration, fuse_regressions
from ..core.keyring import KeyRing, mac_key_id
from ..core.trust import KnownKey, MacKey, SignKey
from ..formats import eat
from ..store import DeviceRow, KeyRow, Store
from ..trouble import Trouble
from .keys import key_id

_ANEW = "erase the board's flash and provision it again: it makes a key of its own"

# an element keeps its keys when the flash is erased, and forgets which of them was in force
_SLOT = 'name a slot of the element that has never been used: "i2c": {"slot": 3} in its troth.json'
_EUI = "02"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the line saw on one board, before anybody is told."""

    mac: str
    chip: str
    public_key: bytes | None  # 64 bytes, x || y; None: a MAC key in a fuse
    key_origin: str
    fuses: str
    profile: Profile
    model: str
    key_id: bytes | None = None  # as the board says it of a MAC key

    @property
    def ueid(self) -> str:
        return _EUI + self.mac

    @property
    def algorithm(self) -> int:
        return eat.HMAC_256 if self.public_key is None else eat.ES256


@dataclass(frozen=True, slots=True)
class Sale:
    """To whom a unit goes; own use unless a class or market is named."""

    product_class: str | None = None
    market: str | None = None
    placed: int | None = None

    @property
    def own_use(self) -> bool:
        return self.market is None


def known_key(seen: Seen, device: str, ring: KeyRing) -> KnownKey:
    """The board's key as the walk needs it, before it is registered."""
    ueid = bytes.fromhex(seen.ueid)
    if seen.public_key is None:
        return _mac_key(seen, device, ueid, ring.secret(ueid[1:]))
    point = public_point(seen.public_key)
    return SignKey(key_id(point), device, ueid, seen.public_key)


def public_point(public: bytes) -> ec.EllipticCurvePublicKey:
    """A key from x || y."""
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + public)
    except ValueError as err:
        raise Trouble("key.kind", "the board's public key is no point of P-256", fix=_ANEW) from err


def _mac_key(seen: Seen, device: str, ueid: bytes, secret: bytes) -> MacKey:
    """The key that this home derives for the board; its fuse must hold the very same."""
    kid = mac_key_id(secret)
    if kid != seen.key_id:
        raise Trouble(
            "key.mismatch",
            "the fuse of this board holds another key than this home derives for it",
            why=f"key {seen.key_id.hex() if seen.key_id else 'unsaid'}, expected {kid.hex()}",
            fix="use the home whose hmac-master.key it was burned with; a fuse is burned once: "
            'else set "signer" to "soft" in its troth.json',
        )
    return MacKey(kid, device, ueid, secret)


def check(store: Store, seen: Seen, kid: bytes, *, rekey: bool) -> DeviceRow | None:
    """The unit as it is registered, if it is. Raises Trouble `id.conflict` or `id.fuses`."""
    row = store.device(seen.mac)
    holder = store.key(kid)
    if holder is not None and (row is None or holder.device != row.id):
        raise Trouble(
            "id.conflict",
            "this board's key is enrolled for another unit",
            why=f"key {kid.hex()} belongs to device {holder.device}: one of the two is a copy",
            fix=_ANEW,
        )
    if holder is not None and holder.revoked is not None:
        raise Trouble(
            "key.revoked", "this board's key was replaced or revoked: it comes back no more",
            why=f"key {kid.hex()}",
            fix=_SLOT if seen.key_origin == "secure-element" else _ANEW,
        )  # fmt: skip
    if row is None:
        return None
    keys = [key for key in store.keys(row.id) if key.revoked is None]
    if keys and all(key.kid != kid for key in keys) and not rekey:
        raise Trouble(
            "id.conflict",
            f"{row.name} is enrolled with another key than this board has",
            why=f"MAC {seen.mac}, key {kid.hex()}, enrolled {keys[-1].kid.hex()}",
            fix="if the board was erased on purpose: the same command with --rekey",
        )
    line = store.provisioning(row.id)
    if line is not None and fuse_regressions(line.fuses, seen.fuses):
        raise Trouble(
            "id.fuses",
            f"{row.name} has fewer fuses burned than when it was made",
            why="a fuse cannot be unburned: this is another chip",
            fix=f"keep the board aside; what it was: troth device show {row.name}",
        )
    return row


def draft(
    store: Store,
    seen: Seen,
    sale: Sale,
    row: DeviceRow | None,
    *,
    name: str | None,
    given: bool,
    at: int,
) -> DeviceRow:
    """The unit as it will stand in the registry; `given`: the sale was named on this run."""
    if row is None:
        row = DeviceRow(
            id=store.new_device_id(),
            name=name or f"{seen.model}-{seen.mac[-6:]}",
            ueid=seen.ueid,
            mac=seen.mac,
            model=seen.model,
            chip=seen.chip,
            lifecycle=Lifecycle.ACTIVE,
            created=at,
        )
        given = True
    row = replace(row, name=name or row.name, model=seen.model, chip=seen.chip)
    if row.lifecycle in (Lifecycle.PREREGISTERED, Lifecycle.PENDING):
        row = replace(row, lifecycle=Lifecycle.ACTIVE)
    if given:
        row = replace(
            row,
            product_class=sale.product_class,
            market=sale.market,
            own_use=sale.own_use,
            placed_on_market=sale.placed,
        )
    return row


def registration(store: Store, row: DeviceRow, seen: Seen, line: Provisioning) -> Registration:
    """The unit as the rules see it, while it is not in the registry yet."""
    return Registration(
        device=row.id,
        ueid=row.ueid,
        model=row.model,
        chip=row.chip,
        key_origin=seen.key_origin,
        key_alg=eat.ALGORITHMS[seen.algorithm],
        market=row.market,
        product_class=row.product_class,
        own_use=row.own_use,
        placed_on_market=row.placed_on_market,
        lifecycle=row.lifecycle,
        provisioning=line,
    )


def enrol(
    store: Store,
    before: DeviceRow | None,
    row: DeviceRow,
    seen: Seen,
    line: Provisioning,
    kid: bytes,
    *,
    proof: tuple[bytes, bytes] | None,
    at: int,
) -> dict[str, Any]:
    """Write unit, key and record; what stands already is left as it is. What is enrolled.

    `proof` is the nonce and the evidence that answered it, kept in the line's record; None: a board
    without a prompt, of which the line knows what it burned itself.
    """
    key = KeyRow(
        kid, row.id, row.ueid, seen.public_key, seen.algorithm, seen.key_origin, created=at
    )
    if before is None:
        store.enroll(row, key, at=at, actor="line")
    else:
        if store.key(kid) is None:
            store.add_key(key, at=at, actor="line")
        changes = {
            field: getattr(row, field)
            for field in ("name", "model", "chip", "lifecycle", "product_class", "market",
                          "own_use", "placed_on_market")
            if getattr(row, field) != getattr(before, field)
        }  # fmt: skip
        if changes:
            store.change_device(row.id, at=at, actor="line", **changes)
    told = {"mac": seen.mac, "chip": seen.chip, "model": seen.model,
            "profile": line.profile.value, "key": kid.hex()}  # fmt: skip
    record = store.provisioning(row.id)
    # a later run of the line is no new birth: only another profile or more fuses make a new record
    if record is None or (record.profile, record.fuses) != (line.profile, line.fuses):
        said = {**told, "fuses": seen.fuses}
        if proof:
            said |= {"nonce": proof[0].hex(), "evidence": b64encode(proof[1]).decode()}
        store.add_provisioning(row.id, line, json.dumps(said, sort_keys=True).encode())
    return {"device": row.id, "name": row.name, **told}
