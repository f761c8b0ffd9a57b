"""What the fleet shows of one regime, for a reader who was not there; one small file per format."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping

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
from .report import Report

_PIECE = 2**20  # characters
FORMATS: Mapping[str, Callable[[Report], Iterator[str]]] = {
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


def pieces(report: Report, form: str) -> Iterator[bytes]:
    """The report's bytes in a format, `pdf` among them, as they are made."""
    if form == "pdf":
        yield as_pdf.write(report)
        return
    kept = io.StringIO()
    for text in FORMATS[form](report):
        if kept.write(text) and kept.tell() > _PIECE:
            yield kept.getvalue().encode()
            kept = io.StringIO()
    yield kept.getvalue().encode()


def written(report: Report, form: str) -> bytes:
    """All of them at once."""
    return b"".join(pieces(report, form))
