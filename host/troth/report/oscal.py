"""What the three OSCAL documents share: metadata, properties, and how a duty is a control."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..core.duties import Duty
from .forms import document
from .ids import NS, uid
from .report import Report

VERSION = "1.2.1"


def dump(name: str, body: dict[str, Any]) -> Iterator[str]:
    return document({name: body})


def metadata(report: Report, title: str) -> dict[str, Any]:
    return {
        "title": title,
        "last-modified": report.as_of,
        "version": report.as_of,
        "oscal-version": VERSION,
        "props": digests(report),
    }


def digests(report: Report) -> list[dict[str, str]]:
    """By which texts and records everything here was decided."""
    return [
        prop("engine", report.engine),
        prop("catalogue", report.catalogue),
        prop("regime", report.regime_digest),
        prop("references", report.references),
    ]


def prop(name: str, value: str) -> dict[str, str]:
    return {"name": name, "ns": f"{NS}:oscal", "value": value.strip() or "none"}


def back_matter(report: Report, name: str, text: str) -> dict[str, Any]:
    return {"resources": [{"uuid": uid(report, name), "title": name, "description": text}]}


def control(duty: Duty) -> dict[str, Any]:
    """A duty as a control: what it asks, why, and what each party can do about it."""
    parts = [("statement", duty.title), ("overview", duty.rationale)]
    parts += [("guidance", f"{party.value}: {text}") for party, text in duty.remedies]
    return {
        "id": duty.id,
        "title": duty.title,
        "props": [
            prop("severity", duty.severity.value),
            prop("party", duty.party.value),
            prop("subject", duty.subject.value),
            prop("profile", duty.needs.value),
        ],
        "parts": [
            {"id": f"{duty.id}_{number}", "name": name, "prose": text}
            for number, (name, text) in enumerate(parts, 1)
            if text
        ],
    }
