"""What the fleet shows of one regime, for a reader who was not there; one small file per format."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from . import as_csv, as_html, as_json, as_junit, as_sarif
from .findings import Report

FORMATS: Mapping[str, Callable[[Report], str]] = {
    "json": as_json.write,
    "csv": as_csv.write,
    "html": as_html.write,
    "junit": as_junit.write,
    "sarif": as_sarif.write,
}
