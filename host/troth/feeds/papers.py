"""Drafts of what a maker must write: every field that is known filled, every gap marked plainly.

The UK statement of compliance has the fields of Schedule 4 of SI 2023/1007; the CRA documentation
the headings of Annex VII, in our own words. A draft is for its maker to check, complete and sign.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from string import Formatter
from typing import Any

from ..core.duties import Outcome
from ..core.reference import Statement
from ..core.verdict import Catalogue
from ..fleet.words import count
from .shipping import Build, Market

_DRAFTS = Path(__file__).parent / "drafts"
_DRAFT = "A draft by Troth from what is known. GAP marks what is missing. Not legal advice."
_WORDS = {
    Outcome.MET: "met, as far as it is known",
    Outcome.NOT_MET: "NOT MET",
    Outcome.NOT_SHOWN: "not shown yet",
    Outcome.NOT_APPLICABLE: "does not apply",
}


def psti(build: Build, *, now: int) -> str:
    """The UK statement of compliance."""
    known = {"representative": build.statement.representative or "none declared"}
    return _filled("uk-statement-of-compliance.md", build, known, now)


def cra(build: Build, catalogue: Catalogue, market: Market, *, now: int) -> str:
    """The skeleton of the technical documentation."""
    ours = build.release
    signed = f"signed by boot keys {', '.join(ours.boot_key_digests)}"
    if not ours.boot_key_digests:
        signed = "GAP: the image bears no signature"
    known = {
        "app_digest": ours.app_digest,
        "code_digest": ours.code_digest,
        "cfg_digest": ours.cfg_digest,
        "signed": signed,
        "anti_rollback": "yes" if ours.anti_rollback else "no",
        "secret_hits": str(ours.secret_hits),
        "sbom": _sbom(build),
        "requirements": "\n".join(_requirements(catalogue, market)),
        "support_justification": build.statement.support_justification or "GAP",
    }
    return _filled("eu-technical-documentation.md", build, known, now)


def gaps(paper: str) -> int:
    """How often something is missing."""
    return paper.count("GAP") - 1  # the first line explains the word


def _filled(name: str, build: Build, known: dict[str, str], now: int) -> str:
    """The draft of that name; what is not told here is the maker's to say, or a gap."""
    ours = build.release
    paper = (_DRAFTS / name).read_text(encoding="utf-8")
    said = {
        field: _or_gap(build.statement, field)
        for _, field, _, _ in Formatter().parse(paper)
        if field and hasattr(build.statement, field)
    }
    product = {"model": ours.model, "version": ours.version, "chip": ours.chip}
    return paper.format(**(said | product | known), draft=_DRAFT, today=_day(now))


def _requirements(catalogue: Catalogue, market: Market) -> Iterator[str]:
    """A row for each provision of Annex I that a duty decides."""
    known = {each.duty.id: each for each in (*market.findings, *market.later)}
    yield "| Provision | Duty | Today |"
    yield "| --- | --- | --- |"
    for regime in catalogue.regimes:
        if regime.id != "eu-cra":
            continue
        for line in sorted(regime.lines, key=lambda each: (each.clause.provision, each.duty)):
            if line.clause.decides and line.clause.provision.startswith("I."):
                found = known.get(line.duty)
                word = _WORDS.get(found.said.outcome, "GAP") if found else "not judged yet"
                yield f"| {line.clause.provision} | {line.duty} | {word} |"


def _sbom(build: Build) -> str:
    if build.sbom is None:
        return f"{build.statement.sbom_ref} (not given here)" if build.statement.sbom_ref else "GAP"
    parts, left = len(build.sbom["components"]), ", ".join(build.sbom["missing"])
    return count(parts, "component") + (f"; GAP: it leaves out {left}" if left else "")


def _or_gap(said: Statement, name: str) -> str:
    value: Any = getattr(said, name)
    if value is None or value == ():
        return _gap("expected_use_years" if name == "expected_use" else name)
    if name in ("support_end", "risk_date"):
        return _day(value)
    if name == "expected_use":
        return f"{value / 31_536_000:g} years"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _gap(name: str) -> str:
    return f"GAP ({name})"


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()
