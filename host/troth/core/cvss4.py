"""The base score of CVSS 4.0: that of the vector's class, less its distance from the worst of it.

Specification, section 8.2, with threat and environment not defined (CVSS-B). Its numbers are in
tenths and its arithmetic in fractions, so that no binary digit tips a score over.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import floor
from typing import NamedTuple

_VALUES = {  # worst first
    **{"AV": "NALP", "AC": "LH", "AT": "NP", "PR": "NLH", "UI": "NPA"},
    **dict.fromkeys(("VC", "VI", "VA", "SC", "SI", "SA"), "HLN"),
}


class _Part(NamedTuple):
    """Metrics that are weighed together: for each level where it begins, and how deep it is.

    The specification names the worst vectors of a level; all of one level are as many steps off.
    """

    metrics: tuple[str, ...]
    begins: tuple[int, ...]
    depth: tuple[int, ...]


_REACH = _Part(("AV", "PR", "UI"), (0, 1, 3), (1, 4, 5))
_EFFORT = _Part(("AC", "AT"), (0, 1), (1, 2))
_HARM = _Part(("VC", "VI", "VA"), (0, 1, 3), (7, 8, 10))
_BEYOND = _Part(("SC", "SI", "SA"), (0, 3), (5, 4))

# by reach and effort; a pair for each harm (0, 0 less needed, 1, 1 less needed, 2), by beyond
_SCORES = {
    (0, 0): ((100, 93), (96, 90), (93, 88), (92, 80), (79, 69)),
    (0, 1): ((95, 92), (91, 81), (92, 84), (82, 70), (71, 63)),
    (1, 0): ((94, 87), (89, 75), (86, 72), (76, 57), (65, 53)),
    (1, 1): ((90, 77), (77, 66), (74, 61), (59, 52), (58, 23)),
    (2, 0): ((86, 70), (74, 54), (72, 53), (57, 36), (47, 24)),
    (2, 1): ((73, 54), (55, 43), (61, 46), (51, 18), (24, 10)),
}


def base_score(said: Mapping[str, str]) -> float | None:
    """From the metrics by name; None: one is missing, or has no such value."""
    if any(said.get(name) not in tuple(values) for name, values in _VALUES.items()):
        return None
    if all(said[name] == "N" for name in _HARM.metrics + _BEYOND.metrics):
        return 0.0
    reach, effort, harm, beyond = _levels(said)
    score = _SCORES[reach, effort][2 * harm][beyond]
    lower = (
        (_REACH, reach, _SCORES[reach + 1, effort][2 * harm][beyond] if reach < 2 else None),
        (_EFFORT, effort, None if effort else _SCORES[reach, 1][2 * harm][beyond]),
        (_HARM, harm, _less_harm(_SCORES[reach, effort], harm, beyond)),
        (_BEYOND, beyond, None if beyond else _SCORES[reach, effort][2 * harm][1]),
    )
    steps = [
        Fraction((score - next_score) * _distance(said, part, level), part.depth[level])
        for part, level, next_score in lower
        if next_score is not None
    ]
    # a lower threat is always there, and none is known: it counts among them at no distance
    return floor(score - sum(steps) / (len(steps) + 1) + Fraction(1, 2)) / 10


def _levels(said: Mapping[str, str]) -> tuple[int, int, int, int]:
    """Of reach, effort, harm and harm beyond; 0 is the worst."""
    open_ways = [said[name] == "N" for name in _REACH.metrics]
    high = [said[name] == "H" for name in _HARM.metrics]
    reach = 0 if all(open_ways) else 1 if any(open_ways) and said["AV"] != "P" else 2
    effort = 0 if said["AC"] == "L" and said["AT"] == "N" else 1
    harm = 0 if high[0] and high[1] else 1 if any(high) else 2
    return reach, effort, harm, 0 if "H" in [said[name] for name in _BEYOND.metrics] else 1


def _less_harm(scores: tuple[tuple[int, int], ...], harm: int, beyond: int) -> int | None:
    """The next class down: less harm, or the same where it is less needed that it stays out."""
    if harm == 0:
        return max(scores[1][beyond], scores[2][beyond])
    return scores[3][beyond] if harm == 1 else None


def _distance(said: Mapping[str, str], part: _Part, level: int) -> int:
    """How many steps below the worst of its level."""
    return sum(_VALUES[name].index(said[name]) for name in part.metrics) - part.begins[level]
