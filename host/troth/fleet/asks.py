"""What the duties ask of each claim, read off their own rules, so that a diff never disagrees.

A rule such as `d.jtag in ["disabled","protected"] && !d.webrepl_on` is a row of asks, one a claim.
What has another shape (an alternative, a sum) asks as a whole: its answer speaks for its claims.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..core.duties import Appraisal, Duty, Facts, Outcome


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing that a duty wants one claim to be."""

    duty: str
    claim: str  # without the d.
    wants: tuple[Any, ...]
    words: str  # how the wanted values are bound: one of, none of, at least; or the whole rule
    holds: bool | None  # None: the device did not say, or there is nothing to compare with


_CLAIM = r"d\.(?P<claim>\w+)"
_VALUE = r"(?P<value>.+)"
Check = Callable[[Any, tuple[Any, ...]], bool]
# shape of one conjunct, how its bound is worded, and when it holds
_SHAPES: tuple[tuple[re.Pattern[str], str, Check], ...] = (
    (re.compile(rf"!{_CLAIM}"), "no", lambda said, _: said is False),
    (re.compile(_CLAIM), "yes", lambda said, _: said is True),
    (re.compile(rf"{_CLAIM} == {_VALUE}"), "", lambda said, wants: said in wants),
    (re.compile(rf"{_CLAIM} >= {_VALUE}"), "at least", lambda said, wants: said >= wants[0]),
    (re.compile(rf"{_CLAIM} in {_VALUE}"), "one of", lambda said, wants: said in wants),
    (re.compile(rf"!\({_CLAIM} in {_VALUE}\)"), "none of", lambda said, wants: said not in wants),
    (
        re.compile(rf"{_CLAIM}\.all\((?P<each>\w+), (?P=each) in {_VALUE}\)"),
        "each one of",
        lambda said, wants: set(said) <= set(wants),
    ),
)


def asks(duty: Duty, said: Appraisal, facts: Facts) -> tuple[Ask, ...]:
    """What this duty asks of the claims that it names; nothing where it does not apply."""
    if said.outcome is Outcome.NOT_APPLICABLE:
        return ()
    if "||" in duty.ok_text:
        return _whole(duty, said, facts)
    found = (_ask(duty, part.strip(), facts) for part in duty.ok_text.split("&&"))
    return tuple(ask for ask in found if ask)


def _whole(duty: Duty, said: Appraisal, facts: Facts) -> tuple[Ask, ...]:
    claims = [name.removeprefix("d.") for name in duty.names if name.startswith("d.")]
    holds = {Outcome.MET: True, Outcome.NOT_MET: False}.get(said.outcome)
    return tuple(
        Ask(duty.id, claim, (), duty.ok_text, holds if _is_said(facts, claim) else None)
        for claim in claims
    )


def _is_said(facts: Facts, claim: str) -> bool:
    return getattr(facts.d, claim) is not None


def _ask(duty: Duty, text: str, facts: Facts) -> Ask | None:
    for shape, words, check in _SHAPES:
        match = shape.fullmatch(text)
        if match:
            claim = match["claim"]
            wants = _wants(match.groupdict().get("value"), facts)
            if words == "none of" and not wants:
                return None  # nothing is forbidden
            said = getattr(facts.d, claim, None)
            holds = None if said is None or wants is None else check(said, wants)
            return Ask(duty.id, claim, wants or (), words, holds)
    return None


def _wants(text: str | None, facts: Facts) -> tuple[Any, ...] | None:
    """The values that a rule compares with: literals of its own, or names of our references."""
    if text is None:
        return ()
    if text.startswith(("d.", "m.")):
        value = getattr(facts.d if text[0] == "d" else facts.m, text[2:], None)
    elif text.startswith("r."):
        name = text.removeprefix("r.")
        value = getattr(facts.r, name, None) if hasattr(facts.r, name) else None
        value = getattr(facts.u, name, None) if value is None else value
    else:
        value = json.loads(text)
    if value is None:
        return None
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)
