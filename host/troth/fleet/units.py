"""Every device with its state, one line each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from ..core.device import Registration
from ..core.verdict import State
from ..store.rows import DeviceRow, StateRow
from .context import Context

NO_MODEL = "no model"


@dataclass(frozen=True, slots=True)
class Unit:
    """One line of a device list."""

    row: DeviceRow
    state: State
    since: int | None
    failing: tuple[str, ...]
    failing_since: int | None
    mandatory: frozenset[str]
    regimes: tuple[str, ...]
    last_evidence: int | None
    profile: str
    registration: Registration | None

    @property
    def model(self) -> str:
        return self.row.model or NO_MODEL

    def matches(
        self,
        text: str = "",
        *,
        state: str | None = None,
        model: str | None = None,
        duty: str | None = None,
        regime: str | None = None,
    ) -> bool:
        """Every part narrows: text in what names it, its state, model, regime, a duty it fails."""
        names = " ".join(
            (self.row.name, self.row.id, self.model, self.row.ueid, self.row.chip or "")
        )
        return (
            text.strip().casefold() in names.casefold()
            and _narrows(state, self.state.value)
            and _narrows(model, self.model)
            and _narrows(regime, *self.regimes)
            and _narrows(duty, *self.failing)
        )


def _narrows(wanted: str | None, *values: str) -> bool:
    return not wanted or wanted in values


def list_units(context: Context, *, as_of: int | None = None) -> tuple[Unit, ...]:
    """Every device with its state, by name."""
    store = context.store
    context.meet_all()
    states = store.states(as_of=as_of)
    given = store.last_given() if as_of is None else None
    failing: dict[str, dict[str, int]] = defaultdict(dict)
    for (kind, subject, duty), since in store.failing_since(as_of=as_of).items():
        if kind == "unit":
            failing[subject][duty] = since
    return tuple(
        _unit(
            context,
            row,
            states.get(row.id),
            failing.get(row.id, {}),
            given.get(row.id) if given is not None else _given(context, row, as_of),
        )
        for row in store.devices()
        if as_of is None or row.created <= as_of
    )


def _given(context: Context, row: DeviceRow, as_of: int | None) -> int | None:
    last = context.store.latest_evidence(row.id, as_of)
    return last.given if last else None


def _unit(
    context: Context,
    row: DeviceRow,
    state: StateRow | None,
    fails: Mapping[str, int],
    given: int | None,
) -> Unit:
    failing = state.failing if state else ()
    own = [since for duty, since in fails.items() if duty in failing]
    unit = context.unit(row.id)
    line = unit.provisioning if unit else None
    return Unit(
        row=row,
        state=state.state if state else State.UNKNOWN,
        since=state.since if state else None,
        failing=failing,
        failing_since=min(own, default=state.since if state and failing else None),
        mandatory=frozenset(state.mandatory) if state else frozenset(),
        regimes=state.regimes if state else (),
        last_evidence=given,
        profile=line.profile.value if line else "P0",
        registration=unit,
    )
