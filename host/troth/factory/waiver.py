"""Waivers approved and revoked: checked, signed with the operator's key, and kept."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..core.duties import Duty, Party
from ..core.reference import Policy
from ..core.verdict import Catalogue
from ..core.waiver import LONGEST, Scope, Waiver, is_own_excuse, reaches
from ..store import DeviceRow, Store, WaiverEnd, WaiverRow
from ..trouble import Trouble
from .baseline import Approver
from .signed import open_record, record_id, sign_record

_LIST = "troth waiver list"
_LONG = {"justification": 500, "compensating": 500}  # all other texts: 64


@dataclass(frozen=True, slots=True)
class Wish:
    """A waiver as it is asked for."""

    duty: str
    scope: Scope
    subject: str  # as people say it: a device's name too
    justification: str
    ticket: str
    requested_by: str
    party: Party
    compensating: str
    expires: int


def approve(
    store: Store, catalogue: Catalogue, policy: Policy, wish: Wish, approver: Approver
) -> Waiver:
    """Sign and keep a waiver. Trouble `duty.unknown`, `device.unknown`, `waiver.*`."""
    _check_texts(wish, approver)
    _check_expiry(wish.expires, approver.at)
    _check_eyes(wish, approver, policy)
    _check_reach(_duty(catalogue, wish.duty), wish)
    made = Waiver(
        id="",
        duty=wish.duty,
        scope=wish.scope,
        subject=_subject(store, wish),
        justification=wish.justification.strip(),
        ticket=wish.ticket.strip(),
        requested_by=wish.requested_by.strip(),
        approved_by=approver.by.strip(),
        party=wish.party,
        compensating=wish.compensating.strip(),
        created=approver.at,
        expires=wish.expires,
    )
    record = sign_record(_said(made), "waiver", approver.key)
    open_record(record, "waiver", approver.trusted)
    made = replace(made, id=record_id(record))
    if store.waiver(made.id) is None:  # the same words in the same second are the same waiver
        store.add_waiver(made, record)
    return made


def revoke(store: Store, ref: str, because: str, approver: Approver) -> WaiverRow:
    """Sign and keep the end of a waiver. Trouble `waiver.unknown`, `waiver.ended`."""
    row = find(store, ref)
    said = {"waiver": row.waiver.id, "by": approver.by, "at": approver.at, "because": because}
    record = sign_record(said, "waiver", approver.key)
    open_record(record, "waiver", approver.trusted)
    end = WaiverEnd(approver.at, "revoked", approver.by, because, record)
    store.revoke_waiver(row.waiver.id, end)
    return find(store, row.waiver.id)


def find(store: Store, ref: str) -> WaiverRow:
    row = store.waiver(ref)
    if row is None:
        raise Trouble("waiver.unknown", f"no waiver {ref[:64]!r}", fix=_LIST)
    return row


def _said(waiver: Waiver) -> dict[str, str | int]:
    return {
        "duty": waiver.duty,
        "scope": waiver.scope.value,
        "subject": waiver.subject,
        "justification": waiver.justification,
        "ticket": waiver.ticket,
        "requested_by": waiver.requested_by,
        "approved_by": waiver.approved_by,
        "party": waiver.party.value,
        "compensating": waiver.compensating,
        "created": waiver.created,
        "expires": waiver.expires,
    }


def _duty(catalogue: Catalogue, ident: str) -> Duty:
    found = next((duty for duty in catalogue.duties if duty.id == ident), None)
    if found is None:
        raise Trouble("duty.unknown", f"no duty {ident[:60]!r}", fix="troth duty list")
    return found


def _check_texts(wish: Wish, approver: Approver) -> None:
    texts = {
        "justification": wish.justification,
        "ticket": wish.ticket,
        "requester": wish.requested_by,
        "approver": approver.by,
        "compensating": wish.compensating,
    }
    for name, text in texts.items():
        most = _LONG.get(name, 64)
        empty = not text.strip() and name != "compensating"
        if empty or len(text) > most or not text.isprintable():
            raise Trouble(
                "waiver.text",
                f"the {name} of a waiver is one line of 1 to {most} characters",
                fix="say why, for whom and under which ticket",
            )


def _check_expiry(expires: int, now: int) -> None:
    if not now < expires <= now + LONGEST:
        raise Trouble(
            "waiver.expiry",
            "a waiver ends within a year, and not before it begins",
            why="what is waived for good is a decision that nobody looks at again",
            fix="--expires DATE, at most a year from now",
        )


def _check_eyes(wish: Wish, approver: Approver, policy: Policy) -> None:
    same = wish.requested_by.strip().casefold() == approver.by.strip().casefold()
    if policy.waiver_four_eyes and same:
        raise Trouble(
            "waiver.four-eyes",
            f"{approver.by} cannot approve his own request",
            why="waiver_four_eyes is on in policy.toml",
            fix="--approved-by SOMEBODY-ELSE",
        )


def _check_reach(duty: Duty, wish: Wish) -> None:
    if is_own_excuse(wish.party, duty.party, duty.severity):
        raise Trouble(
            "waiver.own-duty",
            f"{duty.id} is critical and owed by the maker: he cannot waive it alone",
            fix="have it approved by the operator: --party operator",
        )
    if not reaches(wish.scope, duty.subject):
        raise Trouble(
            "waiver.selector",
            f"{duty.id} is judged once for the {duty.subject.value}, not for single units",
            fix="--all" if not reaches(Scope.MODEL, duty.subject) else "--model M, or --all",
        )


def _subject(store: Store, wish: Wish) -> str:
    """A selector that fits no device is a typing error."""
    if wish.scope is Scope.ALL:
        return ""
    if wish.scope is Scope.DEVICE:
        device = store.device(wish.subject)
        if device is None:
            raise Trouble(
                "device.unknown", f"no device {wish.subject[:60]!r}", fix="troth device list"
            )
        return device.id
    if not any(wish.subject in _names(row, wish.scope) for row in store.devices()):
        raise Trouble(
            "waiver.selector",
            f"no device of {wish.scope.value} {wish.subject[:60]!r}",
            fix="troth device list",
        )
    return wish.subject


def _names(row: DeviceRow, scope: Scope) -> tuple[str | None, ...]:
    """What a unit goes by under a selector."""
    if scope is Scope.TAG:
        return row.tags
    return (row.model,) if scope is Scope.MODEL else (row.site,)
