"""Which duty answers which provision, as an OSCAL mapping collection.

A duty and a provision are never equal: one that decides a provision is evidence when it is not
met, one that supports it settles nothing; so all of them intersect, and a property says how.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..core.verdict import Line, decides
from . import oscal
from .ids import NS, provision, uid
from .report import Report


def write(report: Report) -> Iterator[str]:
    lines = report.regime.lines
    return oscal.dump(
        "mapping-collection",
        {
            "uuid": uid(report, "mapping-collection"),
            "metadata": oscal.metadata(report, f"Duties and {report.regime.title}"),
            "provenance": {
                "method": "human",
                "matching-rationale": "functional",
                "status": "draft" if any(map(_is_low, lines)) else "complete",
                "mapping-description": "Read by people; a reference of low confidence says so.",
            },
            "mappings": [
                {
                    "uuid": uid(report, "mapping"),
                    "source-resource": {"type": "catalog", "href": f"#{uid(report, 'catalog')}"},
                    "target-resource": {"type": "catalog", "href": f"#{uid(report, 'text')}"},
                    "maps": [_map(report, number, line) for number, line in enumerate(lines)],
                }
            ],
            "back-matter": {
                "resources": [
                    {
                        "uuid": uid(report, "catalog"),
                        "title": "Duties of Troth",
                        "description": f"The catalogue {report.catalogue}, by -f oscal-catalog",
                    },
                    {
                        "uuid": uid(report, "text"),
                        "title": report.regime.title,
                        "description": f"{report.regime.law}; {report.regime.version}",
                    },
                ]
            },
        },
    )


def _map(report: Report, number: int, line: Line) -> dict[str, Any]:
    clause = line.clause
    target = {"type": "control", "id-ref": provision(clause)}
    target["props"] = [oscal.prop("provision", clause.provision)]  # type: ignore[assignment]
    return {
        "uuid": uid(report, "map", str(number)),
        "ns": f"{NS}:oscal",
        "relationship": "intersects-with",
        "sources": [{"type": "control", "id-ref": line.duty}],
        "targets": [target],
        "props": [
            oscal.prop("weight", "decides" if decides(line) else "supports"),
            oscal.prop("status", clause.status.value),
            oscal.prop("confidence", clause.confidence),
        ],
    }


def _is_low(line: Line) -> bool:
    return line.clause.confidence == "low"
