"""One row of a duty's references: which provisions of a regime it decides or supports."""

from __future__ import annotations

from ..core.device import TRAITS
from ..core.duties import Clause, Party, Severity, Status
from .desk import Desk, word
from .lines import Table
from .provisionfile import Provisions

_ROW = {"regime", "version", "status", "condition", "traits", "severity"}
_ROW |= {"decides", "supports", "confidence", "since", "until"}


def read_clauses(row: Table, party: Party, desk: Desk) -> list[Clause]:
    """A clause for each provision of the row; Trouble for what the regime does not have."""
    for key in row.keys() - _ROW:
        raise row.refuse("duty.reference", f"there is no field named {key}", key)
    regime, status = str(row.get("regime", "")), word(row, "status", Status)
    version, both = _version(row, regime, desk), _provisions(row)
    if status is Status.CONDITIONAL and not row.get("condition"):
        raise row.refuse("duty.reference", "a conditional line wants its condition", "status")
    # an act that does not speak to who runs a fleet cannot be broken by him
    counts = status is Status.MANDATORY or both["decides"]
    if party is Party.OPERATOR and party not in desk.regimes[regime]["addresses"] and counts:
        raise row.refuse("duty.makers-law", f"{regime} binds makers, this duty is the operator's")
    confidence = row.get("confidence")
    if confidence not in ("high", "low"):
        raise row.refuse("duty.reference", "confidence wants high or low", "confidence")
    since, until = _days(row, desk.regimes[regime])
    return [
        Clause(
            regime=regime,
            provision=_known(row, key, provision, status, desk.provisions.get(regime)),
            decides=key == "decides",
            status=status,
            version=version,
            condition=str(row.get("condition", "")),
            confidence=confidence,
            traits=_traits(row, status),
            severity=word(row, "severity", Severity) if "severity" in row else None,
            since=since,
            until=until,
        )
        for key, provisions in both.items()
        for provision in provisions
    ]


def _version(row: Table, regime: str, desk: Desk) -> str:
    if regime not in desk.regimes:
        raise row.refuse("duty.reference", f"there is no regime named {regime}", "regime")
    wanted = str(desk.regimes[regime]["version"])
    if str(row.get("version", "")) != wanted:
        raise row.refuse("duty.reference", f"version wants {wanted}, the regime's own", "version")
    return wanted


def _provisions(row: Table) -> dict[str, list[str]]:
    """What it decides, and what it only supports."""
    both = {key: row.get(key, []) for key in ("decides", "supports")}
    if not any(both.values()) or not all(isinstance(ids, list) for ids in both.values()):
        raise row.refuse("duty.reference", "name the provisions it decides, or supports")
    for key, provisions in both.items():
        if not all(isinstance(each, str) for each in provisions):
            raise row.refuse("duty.reference", f"{key} wants texts: put a number in quotes", key)
    return both


def _days(row: Table, regime: Table) -> tuple[int | None, int | None]:
    """From when to when the reference counts, where that is less than its regime does."""
    since, until = row.get("since"), row.get("until")
    for key, day in (("since", since), ("until", until)):
        if day is not None and type(day) is not int:
            raise row.refuse("duty.reference", f"{key} wants a day like 2026-09-11", key)
    starts = regime.get("in_force")
    if since is not None and starts is not None and since < starts:
        raise row.refuse("duty.reference", "it cannot count before its regime does", "since")
    if since is not None and until is not None and until <= since:
        raise row.refuse("duty.reference", "until wants a day after since", "until")
    return since, until


def _known(row: Table, key: str, provision: str, status: Status, listed: Provisions | None) -> str:
    if listed is not None:
        listed.check(row, key, provision, status)
    return provision


def _traits(row: Table, status: Status) -> frozenset[str]:
    """What a product must be, one of these at least, for a conditional line to count."""
    traits = row.get("traits", [])
    if not isinstance(traits, list) or not set(traits) <= set(TRAITS):
        raise row.refuse("duty.reference", f"traits wants some of {' '.join(TRAITS)}", "traits")
    if traits and status is not Status.CONDITIONAL:
        raise row.refuse("duty.reference", "traits are for a conditional line", "traits")
    return frozenset(traits)
