"""How the operator's side speaks: times, glyphs, short names, and strangers' text made harmless."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

from ..core.duties import Outcome, Severity
from ..core.verdict import State
from ..trouble import Trouble

# always beside the word, never instead of it
STATE_GLYPH = {
    State.COMPLIANT: "●",
    State.NON_COMPLIANT: "✘",
    State.WAIVED: "◐",
    State.STALE: "◌",
    State.UNKNOWN: "?",
}
OUTCOME_GLYPH = {
    Outcome.MET: "●",
    Outcome.NOT_MET: "✘",
    Outcome.NOT_SHOWN: "?",
    Outcome.NOT_APPLICABLE: "–",
    Outcome.WAIVED: "◐",
    Outcome.DECLARED: "○",
    Outcome.ERROR: "!",
}
STATES_BY_WORST = (
    State.NON_COMPLIANT,
    State.STALE,
    State.UNKNOWN,
    State.WAIVED,
    State.COMPLIANT,
)
SEVERITIES = tuple(Severity)
_SHORT = {
    "troth-baseline": "baseline",
    "uk-psti": "PSTI",
    "eu-red-18031": "RED",
    "eu-cra": "CRA",
    "etsi-303645-v313": "303 645",
    "nl-csr-2017": "CSR",
}


def short(regime: str) -> str:
    """A regime's name where there is little room."""
    return _SHORT.get(regime, regime)


def iso(at: int) -> str:
    """RFC 3339, UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def minute(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%MZ")


def ago(at: int, now: int) -> str:
    """`3 h ago`, `in 5 d`: the largest unit of which there are at least two."""
    gap = abs(now - at)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        if gap >= 2 * size or (size == 1 and gap):
            return f"{gap // size} {unit} ago" if at <= now else f"in {gap // size} {unit}"
    return "now"


def count(n: int, noun: str, plural: str = "") -> str:
    """`1 device`, `2 devices`, `3 duties`."""
    if n == 1:
        return f"1 {noun}"
    return f"{n} {plural or (noun[:-1] + 'ies' if noun.endswith('y') else noun + 's')}"


def plain(text: object, limit: int = 200) -> str:
    """Text from a device, bounded, with every control and format character made visible.

    A firmware name may hold escape sequences, newlines or direction marks; neither a terminal nor
    a log nor a reader shall obey them.
    """
    text = str(text)
    if len(text) <= limit and text.isprintable():
        return text
    shown = "".join(_visible(char) for char in text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


# controls, formats, surrogates, private use, unassigned; line and paragraph separators
_OBEYED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def _visible(char: str) -> str:
    if unicodedata.category(char) not in _OBEYED:
        return char
    return f"\\x{ord(char):02x}" if ord(char) < 256 else f"\\u{ord(char):04x}"


def instant(text: str) -> int:
    """RFC 3339, or a date, or both without a zone, which is UTC. Trouble `usage.instant`."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError as err:
        raise Trouble(
            "usage.instant",
            f"{plain(text, 40)!r} is no instant",
            fix="write it as 2026-11-23T08:00:00Z",
        ) from err
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
