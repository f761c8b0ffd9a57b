"""Which of a maker's declarations speaks for a unit now; a later one takes an earlier one's place.

What has expired says nothing: neither itself nor what it once replaced. Its silence is `not-shown`
with the reason, never a pass and never a breach.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from .reference import Statement


class Spoken(NamedTuple):
    """What is declared, and between which instants the clock changes nothing of it."""

    statement: Statement
    since: int
    until: int | None


def speaking(statements: Sequence[Statement], version: str | None, now: int) -> Spoken:
    """The last one, in the order given, that covers this version and has begun, if it still holds.

    `version` is that of the release that the unit runs; None: it runs none that we know.
    """
    ours = [each for each in statements if each.covers(version)]
    instants = [at for each in ours for at in (each.valid_from, each.valid_until) if at is not None]
    since = max((at for at in instants if at <= now), default=0)
    until = min((at for at in instants if at > now), default=None)
    begun = [each for each in ours if each.valid_from is None or each.valid_from <= now]
    last = begun[-1] if begun else None
    if last is None:
        return Spoken(Statement(unsaid=_silence(statements, ours, version)), since, until)
    if last.valid_until is not None and last.valid_until <= now:
        why = f"the maker's declaration ended on {_day(last.valid_until)}"
        return Spoken(Statement(versions=last.versions, unsaid=why), since, until)
    return Spoken(last, since, until)


def _silence(statements: Sequence[Statement], ours: list[Statement], version: str | None) -> str:
    if ours:
        begins = min(each.valid_from or 0 for each in ours)
        return f"the maker's declaration begins on {_day(begins)}"
    ranges = sorted({each.versions for each in statements if each.versions is not None})
    if not ranges:
        return ""
    runs = f"this unit runs {version}" if version else "no release is known to run here"
    return f"the maker's declaration is for versions {', '.join(ranges)}, and {runs}"


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()
