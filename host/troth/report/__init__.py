"""What the fleet shows of one regime, for a reader who was not there; one small file per format."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from . import (
    as_brief,
    as_csaf,
    as_csv,
    as_cyclonedx,
    as_html,
    as_json,
    as_junit,
    as_oscal_ar,
    as_oscal_catalog,
    as_oscal_mapping,
    as_pdf,
    as_sarif,
)
from .findings import Report

FORMATS: Mapping[str, Callable[[Report], str]] = {
    "json": as_json.write,
    "csv": as_csv.write,
    "html": as_html.write,
    "junit": as_junit.write,
    "sarif": as_sarif.write,
    "oscal-ar": as_oscal_ar.write,
    "oscal-catalog": as_oscal_catalog.write,
    "oscal-mapping": as_oscal_mapping.write,
    "cyclonedx": as_cyclonedx.write,
    "csaf": as_csaf.write,
    "brief": as_brief.write,
}


def written(report: Report, form: str) -> bytes:
    """The report's bytes in a format, `pdf` among them."""
    return as_pdf.write(report) if form == "pdf" else FORMATS[form](report).encode()
