"""Devices, their keys and what the line saw of them; every change bumps the generation."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.engine import Connection, Row
from sqlalchemy.exc import IntegrityError

from ..core.device import Lifecycle, Profile, Provisioning
from ..core.waiver import Scope
from ..trouble import Trouble
from . import audit, kinds, schema
from .rows import DeviceRow, KeyRow, ProvisioningRow

_devices, _keys, _lines = schema.devices, schema.keys, schema.provisionings
_rotations = schema.rotations
_CHANGEABLE = {field.name for field in fields(DeviceRow)} - {"id", "ueid", "created"}


def generation(conn: Connection) -> int:
    """How often the registry or the references changed."""
    return int(conn.execute(select(schema.meta.c.generation)).scalar_one())


def bump(conn: Connection, *devices: str) -> None:
    """Tell every cache, in every process, that what it read may have changed, of these units."""
    kinds.forget(conn, devices)
    conn.execute(update(schema.meta).values(generation=schema.meta.c.generation + 1))


def touch(conn: Connection) -> None:
    """Write the generation over itself: the database must find room for it."""
    conn.execute(update(schema.meta).values(generation=schema.meta.c.generation))


def new_device_id() -> str:
    return f"d-{secrets.token_hex(5)}"


def devices(conn: Connection) -> tuple[DeviceRow, ...]:
    return tuple(_device(row) for row in conn.execute(select(_devices).order_by(_devices.c.name)))


def device(conn: Connection, ref: str) -> DeviceRow | None:
    """By id, then name, then ueid, then MAC: the first that fits."""
    digits = re.sub(r"[:-]", "", ref).lower()
    columns = (
        (_devices.c.id, ref),
        (_devices.c.name, ref),
        (_devices.c.ueid, digits),
        (_devices.c.mac, digits),
    )
    found = conn.execute(select(_devices).where(or_(*(col == value for col, value in columns))))
    rows = [_device(row) for row in found]
    for column, value in columns:
        for row in rows:
            if getattr(row, column.name) == value:
                return row
    return None


def of_scope(conn: Connection, scope: Scope, subject: str) -> list[str]:
    match scope:
        case Scope.ALL:
            return list(conn.execute(select(_devices.c.id)).scalars())
        case Scope.TAG:
            tagged = conn.execute(
                select(_devices.c.id, _devices.c.tags).where(_devices.c.tags != "[]")
            )
            return [row.id for row in tagged if subject in json.loads(row.tags)]
        case Scope.DEVICE:
            column: Any = _devices.c.id
        case Scope.MODEL:
            column = _devices.c.model
        case Scope.SITE:
            column = _devices.c.site
    return list(conn.execute(select(_devices.c.id).where(column == subject)).scalars())


def enrolled_since(conn: Connection, instant: int) -> list[tuple[str, int]]:
    asked = select(_devices.c.id, _devices.c.created).where(_devices.c.created > instant)
    return [tuple(row) for row in conn.execute(asked)]


def enroll(conn: Connection, row: DeviceRow, key: KeyRow, *, at: int, actor: str) -> None:
    try:
        with conn.begin_nested():
            conn.execute(insert(_devices).values(**_device_values(row), created=at))
    except IntegrityError as err:
        raise Trouble(
            "device.duplicate",
            f"{row.name} is registered already, under this name, ueid or MAC",
            why=str(err.orig),
            fix="troth device list",
        ) from err
    _insert_key(conn, replace(key, device=row.id), at)
    audit.append(conn, at, actor, "device.enrolled", row.id, f"{row.name} {row.ueid}")
    bump(conn)


def change(
    conn: Connection,
    ident: str,
    changes: Mapping[str, object],
    *,
    at: int,
    actor: str,
    why: str = "",
) -> DeviceRow:
    unknown = set(changes) - _CHANGEABLE
    if unknown:
        raise ValueError(f"not to be changed: {', '.join(sorted(unknown))}")
    before = _by_id(conn, ident)
    after = replace(before, **changes)  # type: ignore[arg-type]
    if after == before:
        return before
    values = _device_values(after)
    try:
        with conn.begin_nested():
            conn.execute(update(_devices).where(_devices.c.id == ident).values(**values))
    except IntegrityError as err:
        raise Trouble(
            "device.duplicate", "another device has this name or MAC", why=str(err.orig)
        ) from err
    old = _device_values(before)
    said: dict[str, Any] = {
        name: [old[name], values[name]] for name in values if values[name] != old[name]
    }
    if why:
        said["why"] = why
    audit.append(conn, at, actor, "device.changed", ident, json.dumps(said, sort_keys=True))
    bump(conn, ident)
    return after


def _by_id(conn: Connection, ident: str) -> DeviceRow:
    row = conn.execute(select(_devices).where(_devices.c.id == ident)).one_or_none()
    if row is None:
        raise Trouble("device.unknown", f"no device {ident}", fix="troth device list")
    return _device(row)


def keys(conn: Connection, ident: str) -> tuple[KeyRow, ...]:
    found = conn.execute(_key_select().where(_keys.c.device == ident).order_by(_keys.c.epoch))
    return tuple(_key(row) for row in found)


def every_key(conn: Connection) -> dict[str, list[KeyRow]]:
    """All keys of all devices, each device's oldest epoch first."""
    found: dict[str, list[KeyRow]] = {}
    for row in conn.execute(_key_select().order_by(_keys.c.device, _keys.c.epoch)):
        found.setdefault(row.device, []).append(_key(row))
    return found


def every_provisioning(conn: Connection) -> dict[str, Provisioning]:
    """The newest provisioning record of every device."""
    rows = conn.execute(select(_lines).order_by(_lines.c.id))
    return {row.device: _provisioning(row).provisioning for row in rows}


def key(conn: Connection, kid: bytes) -> KeyRow | None:
    row = conn.execute(_key_select().where(_keys.c.kid == kid)).one_or_none()
    return None if row is None else _key(row)


def keys_in_force(conn: Connection, algorithm: int) -> int:
    asked = select(func.count()).select_from(_keys)
    found = asked.where(_keys.c.algorithm == algorithm, _keys.c.revoked.is_(None))
    return int(conn.execute(found).scalar_one())


def add_key(conn: Connection, row: KeyRow, *, at: int, actor: str) -> KeyRow:
    _by_id(conn, row.device)
    last = conn.execute(
        select(func.max(_keys.c.epoch)).where(_keys.c.device == row.device)
    ).scalar_one()
    made = replace(row, epoch=(last or 0) + 1, created=at)
    _insert_key(conn, made, at)
    conn.execute(
        update(_keys)
        .where(_keys.c.device == row.device, _keys.c.kid != row.kid, _keys.c.revoked.is_(None))
        .values(revoked=at)
    )
    audit.append(conn, at, actor, "key.added", row.device, f"{row.kid.hex()} epoch {made.epoch}")
    bump(conn, row.device)
    return made


def rotate_key(
    conn: Connection, row: KeyRow, old: bytes, session: str, message: bytes, *, at: int, actor: str
) -> KeyRow:
    """The new key for the old one and its challenge, or nothing; the message stays in the audit."""
    held = key(conn, old)
    if held is None or held.revoked is not None or held.device != row.device:
        raise Trouble(
            "key.fork",
            "the key that vouches for the new one is no longer in force",
            why=f"{old.hex()} was replaced or revoked: two boards may hold it",
            fix="troth device show DEVICE; erase the board and enrol it anew: --rekey",
        )
    spent = conn.execute(
        update(schema.challenges)
        .where(schema.challenges.c.session == session, schema.challenges.c.spent_at.is_(None))
        .values(spent_at=at, spent_by=hashlib.sha256(message).digest())
    )
    if spent.rowcount != 1:
        raise Trouble("nonce.spent", "this challenge was answered before", fix="run it again")
    made = add_key(conn, row, at=at, actor=actor)
    conn.execute(update(_keys).where(_keys.c.kid == old).values(retired=True))
    detail = f"{old.hex()} {made.kid.hex()} {b64encode(message).decode()}"
    audit.append(conn, at, actor, "key.rotated", row.device, detail)
    return made


def ask_rotation(conn: Connection, device: str, epoch: int | None, *, at: int, actor: str) -> None:
    """Want the key of this epoch replaced; None: no longer any."""
    conn.execute(delete(_rotations).where(_rotations.c.device == device))
    if epoch is not None:
        conn.execute(insert(_rotations).values(device=device, epoch=epoch, asked=at))
    audit.append(conn, at, actor, "key.wanted", device, f"epoch {epoch}" if epoch else "none")
    bump(conn)


def rotations(conn: Connection) -> dict[str, KeyRow]:
    """The key that is to go, by its device; until a report under a newer one is on record."""
    heads, reports = schema.heads, schema.evidence
    asked = (
        _key_select()
        .join(_rotations, _rotations.c.device == _keys.c.device)
        .outerjoin(heads, heads.c.device == _keys.c.device)
        .outerjoin(reports, reports.c.id == heads.c.evidence)
        .where(_keys.c.epoch == _rotations.c.epoch)
        .where(func.coalesce(reports.c.epoch, 0) <= _rotations.c.epoch)
    )
    return {row.device: _key(row) for row in conn.execute(asked)}


def revoke_key(conn: Connection, kid: bytes, *, at: int, actor: str, why: str = "") -> None:
    """A key that was retired is from now on one that was never to be believed."""
    row = key(conn, kid)
    if row is None:
        raise Trouble("key.missing", f"no key {kid.hex()}", fix="troth device show DEVICE")
    if row.revoked is None or row.retired:
        since = at if row.revoked is None else row.revoked
        values = {"revoked": since, "retired": False}
        conn.execute(update(_keys).where(_keys.c.kid == kid).values(values))
        audit.append(conn, at, actor, "key.revoked", row.device, f"{kid.hex()} {why}".strip())
        bump(conn, row.device)


def owners(conn: Connection, ident: str) -> tuple[int, int]:
    """How many devices hold this one's ueid and how many its key; the tables allow one each."""
    ueids = conn.execute(
        select(func.count())
        .select_from(_devices)
        .where(
            _devices.c.ueid
            == select(_devices.c.ueid).where(_devices.c.id == ident).scalar_subquery()
        )
    ).scalar_one()
    # its newest key, revoked or not: to take a key back makes it no less its own
    newest = (
        select(_keys.c.kid, _keys.c.public_key)
        .where(_keys.c.device == ident)
        .order_by(_keys.c.epoch.desc())
        .limit(1)
        .subquery()
    )
    same = or_(_keys.c.kid == newest.c.kid, _keys.c.public_key == newest.c.public_key)
    holders = conn.execute(
        select(func.count(func.distinct(_keys.c.device))).join(newest, same)
    ).scalar_one()
    return ueids, holders


def add_provisioning(
    conn: Connection, ident: str, seen: Provisioning, record: bytes, *, actor: str
) -> None:
    _by_id(conn, ident)
    conn.execute(
        insert(_lines).values(
            device=ident,
            at=seen.at,
            profile=seen.profile.value,
            fuses=seen.fuses,
            claims_digest=seen.claims_digest,
            failing=json.dumps(seen.failing),
            record=record,
        )
    )
    audit.append(conn, seen.at, actor, "device.provisioned", ident, seen.profile.value)
    bump(conn, ident)


def provisionings(conn: Connection, ident: str) -> tuple[ProvisioningRow, ...]:
    found = conn.execute(select(_lines).where(_lines.c.device == ident).order_by(_lines.c.id))
    return tuple(_provisioning(row) for row in found)


def _insert_key(conn: Connection, row: KeyRow, at: int) -> None:
    values = asdict(row)
    del values["ueid"]  # the device's own
    try:
        with conn.begin_nested():
            conn.execute(insert(_keys).values(**{**values, "created": at}))
    except IntegrityError as err:
        raise Trouble(
            "key.duplicate",
            f"the key {row.kid.hex()} belongs to a device already",
            why="two units with one key cannot be told apart",
            fix="make a new key on the board: troth provision",
        ) from err


def _device_values(row: DeviceRow) -> dict[str, Any]:
    values = asdict(row)
    del values["created"]
    return {**values, "lifecycle": row.lifecycle.value, "tags": json.dumps(row.tags)}


def _device(row: Row[Any]) -> DeviceRow:
    values = dict(row._mapping)
    values["lifecycle"] = Lifecycle(values["lifecycle"])
    values["tags"] = tuple(json.loads(values["tags"]))
    return DeviceRow(**values)


def _key_select() -> Any:
    return select(_keys, _devices.c.ueid).join(_devices, _devices.c.id == _keys.c.device)


def _key(row: Row[Any]) -> KeyRow:
    return KeyRow(**row._mapping)


def _provisioning(row: Row[Any]) -> ProvisioningRow:
    seen = Provisioning(
        at=row.at,
        profile=Profile(row.profile),
        fuses=row.fuses,
        claims_digest=row.claims_digest,
        failing=tuple(json.loads(row.failing)),
    )
    return ProvisioningRow(row.device, seen, row.record)
