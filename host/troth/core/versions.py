"""Which version came first, and whether one lies in a range; for releases, declarations and feeds.

Numbers are compared as numbers, `1.4` is `1.4.0`, a pre-release comes before its release, and what
follows a `+` says nothing. Semantic versions and the dotted numbers of PyPI and NVD agree on that.
"""

from __future__ import annotations

import operator
import re
from functools import lru_cache

Key = tuple[tuple[int, ...], tuple[tuple[int, int, str], ...]]

_PART = re.compile(r"\d+|[A-Za-z]+")
_BOUND = re.compile(r"(>=|<=|>|<|=)\s*([0-9A-Za-z][0-9A-Za-z.+_-]{0,63})")
_COMPARE = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}
_RELEASED = ((2, 0, ""),)  # after every pre-release


@lru_cache(maxsize=4096)
def order(version: str) -> Key:
    """What versions are sorted by."""
    text = version.strip().removeprefix("v").partition("+")[0]
    found = re.match(r"\d+(?:\.\d+)*", text)
    numbers = [int(part[:18]) for part in found[0].split(".")] if found else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    rest = _PART.findall(text[found.end() if found else 0 :])
    words = tuple((0, int(p[:18]), "") if p.isdigit() else (1, 0, p.lower()) for p in rest)
    return tuple(numbers), words or _RELEASED


def bounds(text: str) -> tuple[tuple[str, str], ...]:
    """A range such as `>=1.0 <2.0` in its parts. Raises ValueError."""
    parts = tuple((each[1], each[2]) for each in _BOUND.finditer(text))
    if not parts or _BOUND.sub("", text).replace(",", "").strip():
        raise ValueError("want bounds such as >=1.0 <2.0")
    return parts


def within(version: str, text: str) -> bool:
    """Does a version keep to every bound of a range? Raises ValueError for what is no range."""
    ours = order(version)
    return all(_COMPARE[how](ours, order(bound)) for how, bound in bounds(text))
