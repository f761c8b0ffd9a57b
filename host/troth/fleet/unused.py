"""What nobody uses: references that no unit is held against, and duties that applied to none.

A reference that no unit matches may be a forgotten release, or a fleet that is not what it is
thought to be; a duty that applies to nobody was not shown to hold by anybody.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..core.duties import Outcome
from ..core.verdict import Catalogue
from .cohorts import Cohort
from .context import Context


@dataclass(frozen=True, slots=True)
class Unused:
    releases: tuple[str, ...]  # `1.3.9 of therm-v2 (esp32c3)`
    statements: tuple[str, ...]  # models of which something is stated
    approvals: tuple[str, ...]  # settings, by digest
    waivers: tuple[str, ...]  # that hold, and excuse nothing
    duties: tuple[str, ...]  # not applicable wherever they were asked

    def __bool__(self) -> bool:
        return any((self.releases, self.statements, self.approvals, self.waivers, self.duties))


def unused(context: Context, catalogue: Catalogue, found: Iterable[Cohort], *, now: int) -> Unused:
    """Told of these units alone, as they stand."""
    found = tuple(found)
    store = context.store
    running = {each.subjects.get("release") for each in found}
    models = {each.model for each in found}
    waived = {
        duty
        for each in found
        for duty, told in each.answers.items()
        if told.said.outcome is Outcome.WAIVED
    }
    return Unused(
        tuple(
            f"{each.release.version} of {each.release.model} ({each.release.chip})"
            for each in store.releases()
            if each.release.id not in running
        ),
        tuple(sorted(store.stated_models() - models)),
        _approvals(context),
        tuple(
            row.waiver.id
            for row in store.waivers()
            if row.waiver.holds(now) and row.waiver.duty not in waived
        ),
        _never(catalogue, found),
    )


def _approvals(context: Context) -> tuple[str, ...]:
    approved = {each.cfg_digest for each in context.store.baselines(None, None)}
    if not approved:
        return ()
    sets = (context.claims_set(digest) for digest in context.store.reported_sets())
    return tuple(sorted(approved - {each.claims.cfg_digest for each in sets if each}))


def _never(catalogue: Catalogue, found: tuple[Cohort, ...]) -> tuple[str, ...]:
    applied = {
        duty
        for each in found
        for duty, told in each.answers.items()
        if told.said.outcome is not Outcome.NOT_APPLICABLE
    }
    return tuple(duty.id for duty in catalogue.duties if duty.id not in applied)
