"""Runs the tests that stand inside the duty files: what `troth duty test` reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from ..core.claims import DeviceClaims
from ..core.device import Observed, Registration
from ..core.duties import Facts, Outcome
from ..core.feeds import Feeds
from ..core.reference import Reference, Statement
from .claims import Claim
from .dutyfile import DutyFile


@dataclass(frozen=True, slots=True)
class Failure:
    """An in-file test whose outcome is not the expected one."""

    duty: str
    place: str
    expect: Outcome
    got: Outcome


def run_tests(files: Iterable[DutyFile], claims: Mapping[str, Claim]) -> tuple[Failure, ...]:
    """Run every in-file test; what comes back is what failed."""
    return tuple(
        Failure(file.duty.id, case.place, case.expect, got)
        for file in files
        for case in file.cases
        if (got := file.duty.rule(facts_of(case.given, claims)).outcome) is not case.expect
    )


def facts_of(given: Mapping[str, Any], claims: Mapping[str, Claim]) -> Facts:
    """Facts in which exactly these names were said."""
    homes: dict[str, dict[str, Any]] = {home: {} for home in "drumvf"}
    for name, value in given.items():
        if name != "now":
            homes[claims[name].home][claims[name].field] = value
    nothing: dict[str, Any] = dict.fromkeys(field.name for field in fields(Registration))
    return Facts(
        d=DeviceClaims(**homes["d"]),
        r=Reference(**homes["r"]),
        u=Registration(**{**nothing, **homes["u"]}),
        m=Statement(**homes["m"]),
        v=Observed(**homes["v"]),
        now=given.get("now", 0),
        f=Feeds(**homes["f"]),
    )
