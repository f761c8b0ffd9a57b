"""In service or not: what an operator may make of a device, and what each step asks for."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.device import Lifecycle
from ..store import DeviceRow, Store
from ..trouble import Trouble
from .device import find_device
from .words import day

_ALIVE = (Lifecycle.PREREGISTERED, Lifecycle.PENDING, Lifecycle.ACTIVE)
_STEPS = {
    "suspend": (_ALIVE, Lifecycle.SUSPENDED),
    "resume": ((Lifecycle.SUSPENDED,), Lifecycle.ACTIVE),
    "retire": ((*_ALIVE, Lifecycle.SUSPENDED, Lifecycle.REVOKED), Lifecycle.RETIRED),
}


@dataclass(frozen=True, slots=True)
class Moved:
    """A device before and after."""

    before: Lifecycle
    row: DeviceRow


def move(store: Store, ref: str, step: str, *, why: str, at: int) -> Moved:
    """Suspend, resume or retire, audited with the reason. Trouble `device.lifecycle`."""
    row = find_device(store, ref)
    allowed, after = _STEPS[step]
    if row.lifecycle not in allowed:
        raise Trouble(
            "device.lifecycle",
            f"{row.name} is {row.lifecycle.value}: there is nothing to {step}",
            why=f"{step} is for a device that is {' or '.join(each.value for each in allowed)}",
            fix=f"troth device show {row.name}",
        )
    changed = store.change_device(row.id, at=at, why=_reason(why), lifecycle=after)
    return Moved(row.lifecycle, changed)


def modify(store: Store, ref: str, *, on: int, why: str, at: int) -> DeviceRow:
    """Note a substantial modification: law that began since the unit was placed then reaches it.

    Trouble `device.modified`.
    """
    row = find_device(store, ref)
    placed = row.placed_on_market
    if placed is None or not placed <= on <= at:
        raise Trouble(
            "device.modified",
            f"{row.name} cannot have been substantially modified on {day(on)}",
            why=f"it was placed on the market on {day(placed)}" if placed else "it was never sold",
            fix="--on a day since then, and not after today",
        )
    return store.change_device(row.id, at=at, why=_reason(why), modified=on)


def revoke_key(store: Store, ref: str, *, why: str, at: int) -> tuple[DeviceRow, bytes]:
    """Take the key of a device back for good; its id. Trouble `key.none`."""
    row = find_device(store, ref)
    found = [key for key in store.keys(row.id) if key.revoked is None]
    if not found:
        raise Trouble(
            "key.none",
            f"{row.name} has no key that is in force",
            fix="enrol a new one: troth provision --port P --rekey",
        )
    for key in found:
        store.revoke_key(key.kid, at=at, why=_reason(why) if why else "")
    return row, found[-1].kid


def _reason(why: str) -> str:
    """A reason as it is kept for ever: something, and not a book."""
    said = " ".join(why.split())
    if not said or len(said) > 500:
        raise Trouble(
            "device.why",
            "the reason is empty or longer than 500 characters",
            fix='--why "lost on site"',
        )
    return said
