"""The catalogue as two pages, duties.md and regimes.md: `python -m troth.catalogue.pages`.

Everything in them comes from the YAML files; a test fails when a page is not what they say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from ..core.duties import Duty, Status
from ..core.verdict import Line, Regime, decides
from .coverage import coverage, place
from .loader import Loaded, load
from .provisionfile import Provisions

DOCS = Path(__file__).parents[1] / "docs"

_DUTIES = """# Duties

A duty of care is one question that a unit, a release, a model or a maker answers with `met`,
`not-met`, `not-shown` or `not-applicable`. Each has one owner by default; the evidence can move
a finding to another party. See [trust](trust.md) for the rule.

**Judged on**: what is the same for every unit of a model is judged once. **Needs**: the lowest
profile that can meet it. **Hygiene**: part of `troth-baseline`, which any honest board on stock
firmware can meet. `troth duty show ID` prints the rule, the remedies and every provision.
"""
_REGIMES = """# Regimes

One duty can answer provisions of many regimes. `decides`: when the duty is not met, that alone is
evidence that the provision is not kept. `supports`: the answer says something about the provision
and cannot settle it. Only a mandatory provision that a duty decides counts for a unit's state.
What no duty answers is listed with the reason. `troth regime show R` prints the same.

A regime that is no law here is a view: it is reported on and never part of a duty set. A
provision with `*` has not been checked by us against the primary text.
Provisions are named by number; their text is with the publisher. Nothing here is legal advice.
"""

_FAMILIES = {
    "attest": "Evidence",
    "auth": "Passwords",
    "boot": "What runs",
    "cfg": "Settings",
    "comm": "Communication",
    "crypto": "Algorithms",
    "data": "Data",
    "dev": "Development",
    "doc": "Documents",
    "ident": "Identity",
    "log": "Logging",
    "resil": "Resilience",
    "store": "Storage",
    "supply": "Parts",
    "support": "Support",
    "surface": "Attack surface",
    "time": "Time",
    "trade": "Trade",
    "upd": "Updates",
    "vuln": "Vulnerabilities",
}


def duties_page() -> str:
    """docs/duties.md"""
    loaded = load()
    parts = [_DUTIES, _count(loaded)]
    for family, group in groupby(loaded.catalogue.duties, lambda duty: duty.id.partition(".")[0]):
        parts.append(f"## {_FAMILIES[family]}\n\n{_table(_DUTY_HEAD, map(_duty_row, group))}")
    return "\n".join(parts)


def regimes_page() -> str:
    """docs/regimes.md"""
    loaded = load()
    regimes = sorted(
        loaded.catalogue.regimes, key=lambda each: (not each.own_use, not each.binding)
    )
    parts = (_regime(regime, loaded.provisions.get(regime.id)) for regime in regimes)
    return "\n".join([_REGIMES, *parts])


PAGES: Mapping[str, Callable[[], str]] = {"duties": duties_page, "regimes": regimes_page}

_DUTY_HEAD = ("Duty", "Asks that", "Severity", "Owner", "Judged on", "Needs", "Hygiene")
_STATUSES = tuple(Status)
_LINE_HEAD = ("Provision", "Status", "Decided by", "Supported by", "Counts")


def _count(loaded: Loaded) -> str:
    duties = loaded.catalogue.duties
    hygiene = sum(duty.baseline for duty in duties)
    tests = sum(len(file.cases) for file in loaded.files)
    return f"{len(duties)} duties, {hygiene} of them hygiene, with {tests} tests in their files.\n"


def _duty_row(duty: Duty) -> tuple[str, ...]:
    hygiene = "yes" if duty.baseline else "-"
    return (
        f"`{duty.id}`",
        duty.title,
        duty.severity,
        duty.party,
        duty.subject,
        duty.needs,
        hygiene,
    )


def _regime(regime: Regime, listed: Provisions | None) -> str:
    parts = [f"## {regime.id}\n", f"{regime.title}.\n", f"- text: {regime.law}"]
    parts.append(f"- {_binds(regime)}")
    if regime.condition:
        parts.append(f"- applies to: {regime.condition}")
    if regime.own_use:
        duties = ", ".join(f"`{line.duty}`" for line in regime.lines)
        return "\n".join([*parts, f"- every line is one duty: {duties}\n"])
    found = coverage(regime, listed)
    parts.append(f"- {found.words}")
    reasons: dict[str, list[str]] = {}
    for provision, why in found.uncovered:
        reasons.setdefault(why, []).append(provision)
    parts += [f"- no duty: {', '.join(ids)}: {why}" for why, ids in reasons.items()]
    lines = sorted(regime.lines, key=_place)
    rows = [_line_row(regime, list(group)) for _, group in groupby(lines, key=_place)]
    return "\n".join([*parts, "", _table(_LINE_HEAD, rows)])


def _binds(regime: Regime) -> str:
    if regime.own_use:
        return "binds every unit, in use or on the bench"
    if not regime.binding:
        return "a view: binds no unit"
    classes = " ".join(regime.product_classes) or "all"
    placed = f", placed on the market {_span(regime.placed_from, regime.placed_until)}"
    return (
        f"binds {classes} units sold in the {' '.join(regime.markets).upper()}"
        f"{placed if regime.placed_from else ''}; in force from {_day(regime.in_force)}"
    )


def _place(line: Line) -> tuple[list[tuple[int, str]], int, str]:
    """Where a line stands: 5.2 before 5.10, mandatory before informative."""
    return (
        place(line.clause.provision),
        _STATUSES.index(line.clause.status),
        line.clause.condition,
    )


def _line_row(regime: Regime, lines: list[Line]) -> tuple[str, ...]:
    first = lines[0]
    star = "*" if any(line.clause.confidence == "low" for line in lines) else ""
    condition = f": {first.clause.condition}" if first.clause.condition else ""
    return (
        first.clause.provision + star,
        first.clause.status + condition,
        _duties(line.duty for line in lines if line.clause.decides),
        _duties(line.duty for line in lines if not line.clause.decides),
        _counts(regime, lines),
    )


def _duties(ids: Iterable[str]) -> str:
    return ", ".join(f"`{ident}`" for ident in sorted(ids)) or "-"


def _counts(regime: Regime, lines: list[Line]) -> str:
    """From when the line decides a unit's state, if it ever does."""
    first = lines[0]
    if not any(map(decides, lines)) or not regime.binding:
        return "-"
    since = _span(first.since or regime.in_force, first.until)
    if first.clause.traits:
        since += f", for {' '.join(sorted(first.clause.traits))}"
    return f"{since}, units placed from then" if first.placed_from else since


def _span(start: int | None, end: int | None) -> str:
    return f"from {_day(start)}" + (f" until {_day(end)}" if end else "")


def _day(at: int | None) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d") if at else "the start"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heading = list(head)
    lines = [heading, ["---"] * len(heading), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    """Write both pages."""
    for name, page in PAGES.items():
        (DOCS / f"{name}.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
