"""The base score of a CVSS vector: of version 4.0 by its classes (cvss4), of 3.0 and 3.1 by the
formulas of the specification, section 7.1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from . import cvss4

_WEIGHTS: dict[str, dict[str, float]] = {
    "AV": {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2},
    "AC": {"L": 0.77, "H": 0.44},
    "UI": {"N": 0.85, "R": 0.62},
    "C": {"H": 0.56, "L": 0.22, "N": 0},
    "I": {"H": 0.56, "L": 0.22, "N": 0},
    "A": {"H": 0.56, "L": 0.22, "N": 0},
}
_RIGHTS = {"U": {"N": 0.85, "L": 0.62, "H": 0.27}, "C": {"N": 0.85, "L": 0.68, "H": 0.5}}


def base_score(vector: str) -> float | None:
    """None: not a vector of version 3 or 4, or not a whole one."""
    head, *parts = vector.split("/")
    said = dict(part.partition(":")[::2] for part in parts)
    if head == "CVSS:4.0":
        return cvss4.base_score(said)
    return _score3(said) if head in ("CVSS:3.0", "CVSS:3.1") else None


def _score3(said: Mapping[str, str]) -> float | None:
    try:
        changed = {"U": False, "C": True}[said["S"]]
        got = {name: table[said[name]] for name, table in _WEIGHTS.items()}
        rights = _RIGHTS[said["S"]][said["PR"]]
    except KeyError:
        return None
    iss = 1 - (1 - got["C"]) * (1 - got["I"]) * (1 - got["A"])
    impact = 7.52 * (iss - 0.029) - 3.25 * (iss - 0.02) ** 15 if changed else 6.42 * iss
    if impact <= 0:
        return 0.0
    ease = 8.22 * got["AV"] * got["AC"] * rights * got["UI"]
    return _up((1.08 if changed else 1) * (impact + ease))


def _up(value: float) -> float:
    """To one decimal, upwards, as the specification's appendix A does it in whole numbers."""
    whole = round(min(value, 10) * 100_000)
    return whole / 100_000 if whole % 10_000 == 0 else (math.floor(whole / 10_000) + 1) / 10
