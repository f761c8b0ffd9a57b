"""Drafts of what a maker must write: every field that is known filled, every gap marked plainly.

The UK statement of compliance has the fields of Schedule 4 of SI 2023/1007; the CRA documentation
the headings of Annex VII, in our own words. A draft is for its maker to check, complete and sign.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from ..core.duties import Outcome
from ..core.reference import Statement
from ..core.verdict import Catalogue
from ..fleet.words import count
from .shipping import Build, Market

_DRAFT = "A draft by Troth from what is known. GAP marks what is missing. Not legal advice."
_WORDS = {
    Outcome.MET: "met, as far as it is known",
    Outcome.NOT_MET: "NOT MET",
    Outcome.NOT_SHOWN: "not shown yet",
    Outcome.NOT_APPLICABLE: "does not apply",
}


def psti(build: Build, *, now: int) -> str:
    """The UK statement of compliance."""
    said, ours = build.statement, build.release
    support = _day(said.support_end) if said.support_end is not None else _gap("support_end")
    lines = [
        f"# Statement of compliance: {ours.model}",
        "",
        _DRAFT,
        "Fields: The Product Security and Telecommunications Infrastructure (Security Requirements",
        "for Relevant Connectable Products) Regulations 2023, Schedule 4.",
        "",
        "## 1. Product",
        "",
        f"- Model: {ours.model}, firmware {ours.version} for {ours.chip}",
        f"- Type: {_or_gap(said, 'product_type')}",
        f"- Batch: {_or_gap(said, 'product_batches')}",
        "",
        "## 2. Manufacturer",
        "",
        f"- Name: {_or_gap(said, 'maker_name')}",
        f"- Address: {_or_gap(said, 'maker_address')}",
        f"- Authorised representative: {said.representative or 'none declared'}",
        "",
        "## 3. By whom it is prepared",
        "",
        "This statement is prepared by or on behalf of the manufacturer.",
        "",
        "## 4. Declaration",
        "",
        "In the opinion of the manufacturer, the security requirements of Schedule 1 that apply",
        "are complied with, or the conditions of Schedule 2 under which compliance is deemed.",
        "",
        f"- Standards relied on (number, version, date): {_or_gap(said, 'standards')}",
        f"- Passwords: {_or_gap(said, 'password_kind')}",
        f"- Where flaws are reported: {_or_gap(said, 'vdp_url')}, {_or_gap(said, 'vdp_contact')}",
        f"- Acknowledged within {_or_gap(said, 'vdp_ack_days')} days, "
        f"status every {_or_gap(said, 'vdp_status_days')} days",
        "",
        "## 5. Defined support period",
        "",
        f"Security updates are provided until {support}, published at "
        f"{_or_gap(said, 'support_url')}.",
        "",
        "## 6. Signed",
        "",
        f"- Name: {_or_gap(said, 'signatory')}",
        f"- Function: {_or_gap(said, 'signatory_role')}",
        f"- Place: {_or_gap(said, 'place')}",
        "- Date: GAP (day of signing)",
        "- Signature: GAP",
        "",
        f"Drafted {_day(now)}.",
    ]
    return "\n".join(lines) + "\n"


def cra(build: Build, catalogue: Catalogue, market: Market, *, now: int) -> str:
    """The skeleton of the technical documentation."""
    said, ours = build.statement, build.release
    signed = f"signed by boot keys {', '.join(ours.boot_key_digests)}"
    if not ours.boot_key_digests:
        signed = "GAP: the image bears no signature"
    lines = [
        f"# Technical documentation: {ours.model} {ours.version}",
        "",
        _DRAFT,
        "Headings: Regulation (EU) 2024/2847, Annex VII.",
        "",
        "## 1. The product in general",
        "",
        f"- What it is for: {_or_gap(said, 'intended_use')}",
        f"- Type and batch: {_or_gap(said, 'product_type')}, {_or_gap(said, 'product_batches')}",
        f"- Versions of software that bear on conformity: {ours.version}",
        f"- App image: sha256 {ours.app_digest}",
        f"- Code files: manifest sha256 {ours.code_digest}",
        f"- Settings: sha256 {ours.cfg_digest}",
        f"- Hardware: chip {ours.chip}; photographs, marking and inner layout: GAP",
        f"- Information for users (Annex II): {_or_gap(said, 'guide_urls')}, "
        f"languages {_or_gap(said, 'guide_languages')}",
        "",
        "## 2. Design, production, and how flaws are handled",
        "",
        "- Design and architecture, with drawings: GAP",
        f"- Development process: {_or_gap(said, 'sdlc_ref')}",
        f"- Component list: {_sbom(build)}",
        f"- Policy for reports of flaws: {_or_gap(said, 'vdp_url')}",
        f"- Contact: {_or_gap(said, 'vdp_contact')}",
        f"- Process for flaws: {_or_gap(said, 'vuln_process_ref')}",
        f"- How updates are distributed securely: {signed}; "
        f"older versions held back by fuses: {'yes' if ours.anti_rollback else 'no'}",
        "- Production, and how it is watched and validated: GAP (troth provision keeps a record "
        "of each unit)",
        "",
        "## 3. Risks",
        "",
        f"- Assessment: {_or_gap(said, 'risk_ref')}, of {_or_gap(said, 'risk_date')}",
        "- Each essential requirement, and how it is answered today:",
        "",
        *_requirements(catalogue, market),
        "",
        "## 4. Support period",
        "",
        f"- Until {_or_gap(said, 'support_end')}, expected use {_or_gap(said, 'expected_use')}",
        f"- What was taken into account: {said.support_justification or 'GAP'}",
        "",
        "## 5. Standards and solutions",
        "",
        f"- Applied: {_or_gap(said, 'standards')}",
        "- Where none is applied, the solution chosen instead: GAP",
        "",
        "## 6. Tests",
        "",
        f"- Reports: {_or_gap(said, 'test_reports')}",
        f"- Input tests: {_or_gap(said, 'fuzz_ref')}, of version {_or_gap(said, 'fuzz_version')}",
        f"- Secrets found in the release by a scan: {ours.secret_hits}",
        "",
        "## 7. EU declaration of conformity",
        "",
        f"- Reference: {_or_gap(said, 'statement_ref')}; a copy: GAP",
        "",
        "## 8. Component list for the authority",
        "",
        f"- {_sbom(build)}",
        "",
        f"Drafted {_day(now)}.",
    ]
    return "\n".join(lines) + "\n"


def gaps(paper: str) -> int:
    """How often something is missing."""
    return paper.count("GAP") - 1  # the first line explains the word


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
