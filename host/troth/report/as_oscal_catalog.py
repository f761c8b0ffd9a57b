"""The duties that answer a regime as an OSCAL catalog, a group for each family."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from . import oscal
from .ids import uid
from .report import Report


def write(report: Report) -> Iterator[str]:
    duties = sorted(report.duties, key=lambda duty: duty.id)
    groups = groupby(duties, key=lambda duty: duty.id.partition(".")[0])
    return oscal.dump(
        "catalog",
        {
            "uuid": uid(report, "catalog"),
            "metadata": oscal.metadata(report, f"Duties that answer {report.regime.title}"),
            "groups": [
                {"id": name, "title": name, "controls": [oscal.control(each) for each in ours]}
                for name, ours in groups
            ],
        },
    )
