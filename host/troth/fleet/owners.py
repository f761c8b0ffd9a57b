"""Who has something of its own on record: it is not like others of its kind in everything."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable

from ..core.reference import Policy
from ..core.waiver import Scope
from ..store import Store


def owners(store: Store, policy: Policy, now: int) -> dict[str, Hashable]:
    """Approvals, waivers and a grace that hold for some units alone, by unit."""
    found: dict[str, list[Hashable]] = defaultdict(list)
    for row in store.baselines(None, None):
        if row.scope == "device":
            found[row.subject].append(row.cfg_digest)
    for kept in store.waivers():
        waiver = kept.waiver
        if now < waiver.end and waiver.scope not in (Scope.MODEL, Scope.ALL):
            for device in store.of_scope(waiver.scope, waiver.subject):
                found[device].append(waiver.id)
    if policy.grace_after_enrolment > 0:
        for device, created in store.enrolled_since(now - policy.grace_after_enrolment):
            found[device].append(created)
    return {device: tuple(own) for device, own in found.items()}
