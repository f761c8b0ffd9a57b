"""The report as a CSAF 2.1 document of the base profile: shortfalls as products' flaws.

A product is a model, or the release or unit that a duty was answered for. Its publisher is a
user: who runs Troth speaks for no vendor.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from ..core.duties import Outcome, Party
from .findings import Finding
from .forms import Rows, document, row
from .groups import Findings
from .report import LIMITS, METHOD, Report

SCHEMA = "https://docs.oasis-open.org/csaf/csaf/v2.1/schema/csaf.json"
NAMESPACE = "https://troth.invalid"
_REMEDIES = {Party.MAKER: "vendor_fix", Party.SUPPLIER: "vendor_fix"}


def write(report: Report) -> Iterator[str]:
    tree: dict[str, Any] = {"$schema": SCHEMA, "document": _document(report)}
    short = report.findings.only(lambda said: said.outcome == Outcome.NOT_MET)
    if short:
        told = sorted({(each.kind, each.subject) for each in short})
        names = (
            {"product_id": f"{kind}:{subject}", "name": f"{kind} {subject}"}
            for kind, subject in told
        )
        tree["product_tree"] = {"full_product_names": Rows(row(each, 3) for each in names)}
        duties = dict.fromkeys(group.said.duty.id for group in short.groups)
        flaws = (_shortfall(list(_of(short, duty))) for duty in duties)
        tree["vulnerabilities"] = Rows(row(each) for each in flaws)
    return document(tree)


def _of(findings: Findings, duty: str) -> Findings:
    return findings.only(lambda said: said.duty.id == duty)


def _document(report: Report) -> dict[str, Any]:
    digests = (
        f"{report.engine}; catalogue {report.catalogue}; regime {report.regime_digest}; "
        f"references {report.references}"
    )
    scope = f"{report.words}; {report.scope}; as of {report.as_of}"
    notes = (("summary", scope), ("details", METHOD), ("legal_disclaimer", LIMITS))
    return {
        "category": "troth_report",
        "csaf_version": "2.1",
        "distribution": {"tlp": {"label": "AMBER"}},  # until its operator says otherwise
        "lang": "en",
        "title": f"{report.regime.title}: {report.words}",
        "publisher": {
            "category": "user",
            "name": "an operator of Troth",
            "namespace": NAMESPACE,
        },
        "notes": [
            *({"category": category, "text": text} for category, text in notes),
            {"category": "other", "title": "Decided by", "text": digests},
        ],
        "tracking": {
            "id": f"troth-{report.regime.id}-{report.as_of.replace(':', '')}".lower(),
            "status": "final",
            "version": "1",
            "initial_release_date": report.as_of,
            "current_release_date": report.as_of,
            "revision_history": [
                {"number": "1", "date": report.as_of, "summary": "as it was at that instant"}
            ],
            "generator": {
                "date": report.as_of,
                "engine": {"name": "troth", "version": report.engine.removeprefix("troth ")},
            },
        },
    }


def _shortfall(findings: list[Finding]) -> dict[str, Any]:
    duty = findings[0].duty
    laws = sorted({law.text for each in findings for law in each.laws if law.text})
    products = [f"{each.kind}:{each.subject}" for each in findings]
    found: dict[str, Any] = {
        "title": duty.title,
        "ids": [{"system_name": "troth duty", "text": duty.id}],
        "notes": [
            {"category": "description", "text": duty.rationale or duty.title},
            *(
                {
                    "category": "details",
                    "title": f"{each.kind} {each.subject}",
                    "text": f"{each.because}; since {each.since}; {each.assurance} assurance; "
                    f"evidence {each.evidence or 'of the verifier'}",
                }
                for each in findings
            ),
        ],
        "product_status": {"known_affected": products},
        "remediations": _remediations(findings),
    }
    if laws:
        found["notes"].append({"category": "other", "title": "Provisions", "text": " ".join(laws)})
    return found


def _remediations(findings: list[Finding]) -> list[dict[str, Any]]:
    """What each party can do, with the products that it can do it for."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for each in findings:
        category = _REMEDIES.get(each.party, "mitigation") if each.party else "none_available"
        found[category, each.remedy or "none is known"].append(f"{each.kind}:{each.subject}")
    return [
        {"category": category, "details": text, "product_ids": products}
        for (category, text), products in found.items()
    ]
