"""The sentence of an answer: what was said, and what it was compared with, in words of people.

A duty brings a template per outcome with `{name}` holes; holes are checked when it is loaded.
Digests are shortened, instants become days, lists are counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from ..core.duties import Answer, Because, Facts, Outcome, Reason
from ..trouble import Trouble
from .claims import Claim

Piece = Callable[[Facts], str]
_HOLE = re.compile(r"\{([a-z]+(?:\.[a-z0-9_]+)?)\}")
_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def compile_because(templates: Mapping[str, str], claims: Mapping[str, Claim]) -> Because:
    """Templates by outcome (`met`, `not-met`, `not-applicable`) as one function."""
    said = {Outcome(outcome): _template(text, claims) for outcome, text in templates.items()}
    stale = said.get(Outcome.NOT_SHOWN)

    def because(facts: Facts, answer: Answer, reason: Reason | None) -> str:
        if answer.missing:
            # said, but so long ago that it counts as unsaid
            if stale and all(claims[name].reach(facts) is not None for name in answer.missing):
                return stale(facts)
            return _unsaid([claims[name] for name in answer.missing], facts, reason)
        if answer.outcome is Outcome.ERROR:
            return "the verifier failed to judge this duty: our own fault, not the device's"
        return said[answer.outcome](facts)

    return because


def _template(text: str, claims: Mapping[str, Claim]) -> Piece:
    parts = _HOLE.split(text)
    holes: list[Piece] = []
    for name in parts[1::2]:
        if name not in claims:
            raise Trouble("duty.unknown-name", f"there is no claim named {name}")
        holes.append(_hole(claims[name]))
    if not holes:
        return lambda _: text
    frame = "{}".join(part.replace("{", "{{").replace("}", "}}") for part in parts[::2])
    return lambda facts: frame.format(*[hole(facts) for hole in holes])


def _hole(claim: Claim) -> Piece:
    return lambda facts: aloud(claim, claim.reach(facts))


def aloud(claim: Claim, value: object) -> str:
    """One value as a person would read it."""
    if value is None:
        return "not said"
    if isinstance(value, tuple):
        short = [aloud_text(claim, str(item)) for item in value[:3]]
        return (
            ", ".join(short) + (f" and {len(value) - 3} more" if len(value) > 3 else "") or "none"
        )
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return _number(claim, value)
    return aloud_text(claim, str(value))


def _several(claim: Claim, values: tuple[object, ...]) -> str:
    """A few in full, a long list only counted."""
    short = ", ".join(aloud_text(claim, str(value)) for value in values[:3])
    return f"{short} and {len(values) - 3} more" if len(values) > 3 else short or "none"


def aloud_text(claim: Claim, text: str) -> str:
    if claim.shows == "digest" and len(text) > 12:
        return f"{text[:8]}…"
    return text or "empty"


def _number(claim: Claim, value: int) -> str:
    if claim.shows == "instant":
        return _instant(value)
    if claim.shows == "span":
        return span(value)
    return str(value)


def _instant(value: int) -> str:
    try:
        moment = datetime.fromtimestamp(value, UTC).isoformat(" ", "minutes")
    except (ValueError, OverflowError, OSError):
        return f"instant {value}"
    a_day = value % 86_400 in (0, 86_399)  # its first second, or its last
    return moment[:10] if a_day else f"{moment[:16]} UTC"


def span(seconds: int) -> str:
    """A span in its largest whole unit."""
    for size, unit in _UNITS:
        if abs(seconds) >= size:
            count = seconds // size
            return f"{count} {unit}" + ("" if count == 1 else "s")
    return "0 seconds"


def _unsaid(missing: list[Claim], facts: Facts, reason: Reason | None) -> str:
    what = _list([f"the {claim.means}" for claim in missing])
    match reason:
        case Reason.WITHHELD:
            return f"the board keeps back {what}, which it must show or showed before"
        case Reason.PROFILE_CANNOT:
            return f"the board does not show {what}, and profile {facts.profile} need not"
        case Reason.UNDECLARED:
            if all(claim.home == "r" for claim in missing):
                return f"nobody has told the verifier of {what}"
            return facts.m.unsaid or f"nobody has declared {what}"
        case _:
            return f"the verifier has no record yet of {what}"


def _list(words: list[str]) -> str:
    if len(words) > 3:
        words = [*words[:3], f"{len(words) - 3} more"]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
