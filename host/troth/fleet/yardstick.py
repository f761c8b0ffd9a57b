"""What one unit is compared with: releases, approvals, statement, and the record of its line."""

from __future__ import annotations

from typing import NamedTuple

from ..core.claims import ClaimsSet, DeviceClaims
from ..core.declared import speaking
from ..core.device import Profile, Registration, fuse_regressions
from ..core.feeds import Feeds
from ..core.reference import Policy, Reference, Release, Statement, resolve
from ..core.waiver import Waiver, grace
from ..store import Store
from .boards import must_show
from .fed import Fed

_Steady = tuple[
    DeviceClaims,
    Reference,
    Registration,
    Statement,
    Profile,
    frozenset[str],
    tuple[Waiver, ...],
    Feeds,
    int | None,
]


class Yardstick(NamedTuple):
    """What holds of a unit for as long as it reports this set and no record changes."""

    unit: Registration
    claims_set: ClaimsSet
    since: int  # the clock changes nothing of this between ...
    until: int | None  # ... and
    steady: _Steady  # all facts but what every report moves, as they stand in `Facts`
    fuse_regressions: int | None
    newer_since: int | None
    support_end: int | None

    def holds(self, unit: Registration, claims_set: ClaimsSet, now: int) -> bool:
        """Is it still the one for this? What a record changed is another registration."""
        return (
            self.unit is unit
            and self.claims_set is claims_set
            and self.since <= now
            and (self.until is None or now < self.until)
        )


class Yardsticks:
    """Made from the records, which are remembered until they change. Its owner sees to threads."""

    def __init__(self, store: Store, policy: Policy) -> None:
        self._store = store
        self._policy = policy
        self._statements: dict[str, tuple[Statement, ...]] = {}
        self._releases: dict[tuple[str, str], tuple[Release, ...]] = {}
        self._references: dict[Reference, Reference] = {}
        self._waivers: tuple[Waiver, ...] | None = None
        self._fed: Fed | None = None
        self._fed_before: Fed | None = None

    def forget(self) -> None:
        """The records are others than before."""
        self._statements.clear()
        self._releases.clear()
        self._references.clear()
        self._waivers = None
        self._fed_before, self._fed = self._fed or self._fed_before, None

    def of(self, unit: Registration, claims_set: ClaimsSet, now: int) -> Yardstick:
        said, line = claims_set.claims, unit.provisioning
        fuses = None
        if line is not None and said.fuses is not None:
            fuses = fuse_regressions(line.fuses, said.fuses)
        profile = line.profile if line else Profile.P0
        reference = self._reference(unit, said)
        version = reference.release.version if reference.release else None
        declared = self._statements_of(unit.model)
        spoken = speaking(declared, version, now)
        ends = [each.support_end for each in declared if each.covers(version)]
        return Yardstick(
            unit,
            claims_set,
            spoken.since,
            spoken.until,
            (
                said,
                reference,
                unit,
                spoken.statement,
                profile,
                must_show(unit.chip, profile),
                self._waivers_for(unit),
                self._fed_of(unit, reference, spoken.statement),
                spoken.until,
            ),
            fuses,
            reference.newer_since,
            max((end for end in ends if end is not None), default=None),
        )

    def traits(self, model: str | None) -> frozenset[str]:
        """What a product is does not end with the declaration that says so: the last one counts."""
        declared = self._statements_of(model)
        return declared[-1].traits if declared else frozenset()

    def _fed_of(self, unit: Registration, reference: Reference, declared: Statement) -> Feeds:
        if self._fed is None:
            self._fed = Fed(self._store, self._policy, self._fed_before)
        released = self._released(unit.model, unit.chip)
        return self._fed.of(unit.model, reference.release, released, declared)

    def _waivers_for(self, unit: Registration) -> tuple[Waiver, ...]:
        if self._waivers is None:
            self._waivers = tuple(row.waiver for row in self._store.waivers())
        ours = tuple(waiver for waiver in self._waivers if waiver.is_for(unit))
        late = grace(unit, self._policy.grace_after_enrolment)
        return ours if late is None else (*ours, late)

    def _reference(self, unit: Registration, said: DeviceClaims) -> Reference:
        approved = self._store.baselines(unit.device, unit.model)
        found = resolve(
            self._released(unit.model, unit.chip),
            tuple(row.cfg_digest for row in approved),
            self._policy,
            app_digest=said.app_digest,
            code_digest=said.code_digest,
            cfg_digest=said.cfg_digest,
        )
        return self._references.setdefault(found, found)  # most are compared with the same

    def _released(self, model: str | None, chip: str | None) -> tuple[Release, ...]:
        if model is None or chip is None:
            return ()
        if (model, chip) not in self._releases:
            rows = self._store.releases(model, chip)
            self._releases[model, chip] = tuple(row.release for row in rows)
        return self._releases[model, chip]

    def _statements_of(self, model: str | None) -> tuple[Statement, ...]:
        if model is None:
            return ()
        if model not in self._statements:
            rows = self._store.statements(model)
            self._statements[model] = tuple(row.statement for row in rows)
        return self._statements[model]
