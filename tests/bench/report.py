"""What a report over a large fleet costs: on paper, and as JSON that names every unit's findings.

Both in CPU time, over the fleet of `scale`; of the JSON a tenth, for it grows with its findings.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import fleet
import scale
from figures import Figure, reported

import house
from troth.fleet.context import Context
from troth.report import pieces
from troth.report.report import report
from troth.store import Store

REGIME = "eu-red-18031"


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        models.mkdir()
        scale._report(models)
        with scale.grown(models, scale.SMALL) as store:
            complete = _spent_s(store, "json", scale.SMALL)
        with scale.grown(models, scale.LARGE) as store:
            paper = _spent_s(store, "html", scale.LARGE)
    return [
        reported("report.html_100k_s", paper, "s"),
        reported("report.json_10k_s", complete, "s"),
    ]


def _spent_s(store: Store, form: str, units: int) -> float:
    context, catalogue = Context(store, fleet.POLICY), house.duties()
    regime = next(each for each in catalogue.regimes if each.id == REGIME)
    context.refresh()
    started = time.process_time()
    made = report(context, catalogue, regime, as_of=scale.NOW + 60)
    for _ in pieces(made, form):
        pass
    if len(made.units) != units:
        raise RuntimeError(f"{len(made.units)} of {units} units were told of")
    return time.process_time() - started
