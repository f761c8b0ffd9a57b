"""What would stop a release before it is shipped: duties judged by what is known by then.

Known are the build, the declaration, what feeds say, and our own records. What a board alone can
show, its first attestation will show; it is told apart from what the maker could still say today.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, NamedTuple

from ..core.claims import DeviceClaims
from ..core.declared import speaking
from ..core.device import Observed, Registration
from ..core.duties import Appraisal, Duty, Facts, Outcome, Party, Severity, answer, say
from ..core.labels import DECLARED_ONLY
from ..core.reference import Policy, Release, Statement, resolve
from ..core.verdict import Catalogue, Force, Upcoming, duty_set, force
from ..factory.form import KEYS
from ..factory.manifest import SETTINGS, read_settings
from ..fleet.fed import Fed
from ..store import Store

_KEY_OF = {f"m.{key.field or key.name}": key.name for keys in KEYS.values() for key in keys}
_GRAVE = (Severity.CRITICAL, Severity.HIGH)
_FEEDS = {
    "v.vuln": "troth feed add osv FOLDER, and the component list of this release",
    "v.fix_": "troth feed add osv FOLDER, and the component list of this release",
    "v.sbom": "--sbom FILE, such as troth release sbom writes",
    "v.contact": "troth feed add contact security.txt --model MODEL",
    "v.exploited": "troth incident review",
    "v.severe": "troth incident review",
    "v.incident": "troth incident review",
}


class Build(NamedTuple):
    """What is to be shipped."""

    release: Release
    files: Mapping[str, bytes]
    statement: Statement
    sbom: dict[str, Any] | None  # as a feed keeps it


class Shower(StrEnum):
    """Who can show what is not shown, the nearest first."""

    MAKER = "maker"  # today: by a declaration or a feed
    APPLICATION = "application"  # by what it declares on the board
    BOARD = "board"  # by its first report, or in the field


class Finding(NamedTuple):
    """One duty of one market: what is known of it, and who could show more."""

    duty: Duty
    said: Appraisal
    regimes: tuple[str, ...]
    needs: tuple[str, ...]  # what would show it, in words of commands and keys
    shower: Shower


@dataclass(frozen=True, slots=True)
class Market:
    """What stands between this release and one market on a day."""

    name: str
    findings: tuple[Finding, ...]
    upcoming: tuple[Upcoming, ...]
    later: tuple[Finding, ...]  # of what is not in force yet

    @property
    def stops(self) -> tuple[Finding, ...]:
        return tuple(each for each in self.findings if each.said.outcome is Outcome.NOT_MET)

    @property
    def stops_later(self) -> tuple[Finding, ...]:
        return tuple(each for each in self.later if each.said.outcome is Outcome.NOT_MET)

    def not_shown(self, shower: Shower) -> tuple[Finding, ...]:
        """What this one could show and nobody has."""
        found = (each for each in self.findings if each.said.outcome is Outcome.NOT_SHOWN)
        return tuple(each for each in found if each.shower is shower)

    @property
    def grave_gaps(self) -> tuple[Finding, ...]:
        gaps = self.not_shown(Shower.MAKER)
        return tuple(each for each in gaps if each.duty.severity in _GRAVE)


def check(
    store: Store,
    policy: Policy,
    catalogue: Catalogue,
    build: Build,
    *,
    markets: Iterable[str],
    product_class: str,
    now: int,
) -> tuple[Market, ...]:
    """Each market by itself; pure but for what it asks of the store."""
    facts = _facts(store, policy, build, product_class, now)
    return tuple(_market(catalogue, facts, name) for name in markets)


def _market(catalogue: Catalogue, facts: Facts, market: str) -> Market:
    ours = facts._replace(u=replace(facts.u, market=market))
    chosen = duty_set(catalogue, ours.u, ours.now)
    regimes: dict[str, list[str]] = {}
    for regime in catalogue.regimes:
        for line in regime.lines:
            if force(line, regime, ours.u, ours.now) is Force.BINDS:
                regimes.setdefault(line.duty, []).append(regime.id)
    duties = {duty.id: duty for duty in catalogue.duties if duty.party is not Party.OPERATOR}
    found = tuple(
        _finding(ours, duty, tuple(dict.fromkeys(regimes.get(duty.id, ()))))
        for duty in duties.values()
        if duty.id in chosen.mandatory
    )
    coming = {each.duty: each for each in reversed(chosen.upcoming)}
    later = tuple(
        _finding(ours, duties[each.duty], (each.regime,))
        for each in coming.values()
        if each.duty in duties and each.duty not in chosen.mandatory
    )
    return Market(market, found, chosen.upcoming, later)


def _finding(facts: Facts, duty: Duty, regimes: tuple[str, ...]) -> Finding:
    given = answer(facts, duty)
    needs = tuple(dict.fromkeys(_need(name) for name in given.missing))
    return Finding(duty, say(facts, duty, given), regimes, needs, _shower(given.missing))


def _need(name: str) -> str:
    """Who or what would say this name."""
    if name in DECLARED_ONLY:
        return f"troth_agent.declare({name.removeprefix('d.')}=...) in the application"
    if name.startswith("m."):
        return f"declare {_KEY_OF.get(name, name.removeprefix('m.'))}"
    for start, need in _FEEDS.items():
        if name.startswith(start):
            return need
    if name.startswith("d."):
        return f"a board that runs it shows {name}: troth provision, then its first report"
    return "the units in the field"


def _shower(missing: Iterable[str]) -> Shower:
    """The farthest of those who must say something."""
    told = [name for name in missing if not name.startswith(("m.", *_FEEDS))]
    if all(name in DECLARED_ONLY for name in told):
        return Shower.APPLICATION if told else Shower.MAKER
    return Shower.BOARD


def _facts(store: Store, policy: Policy, build: Build, product_class: str, now: int) -> Facts:
    ours = build.release
    others = tuple(row.release for row in store.releases(ours.model, ours.chip))
    releases = (*others, ours)
    stated = tuple(row.statement for row in store.statements(ours.model))
    spoken = speaking((*stated, build.statement), ours.version, now)
    fed = Fed(store, policy)
    if build.sbom is not None:
        fed.with_list(ours, build.sbom)
    ends = [each.support_end for each in (*stated, build.statement) if each.covers(ours.version)]
    nobody: dict[str, Any] = dict.fromkeys(field.name for field in fields(Registration))
    nobody |= {"device": "", "ueid": "", "model": ours.model, "chip": ours.chip}
    nobody |= {"own_use": False, "product_class": product_class, "placed_on_market": now}
    return Facts(
        d=_claims(ours, build.files),
        r=resolve(
            releases,
            (),
            policy,
            app_digest=ours.app_digest,
            code_digest=ours.code_digest,
            cfg_digest=ours.cfg_digest,
        ),
        u=Registration(**{**nobody, "traits": spoken.statement.traits}),
        m=spoken.statement,
        v=Observed(support_end_max_seen=max((end for end in ends if end), default=None)),
        now=now,
        f=fed.of(ours.model, ours, releases, spoken.statement),
    )


def _claims(release: Release, files: Mapping[str, bytes]) -> DeviceClaims:
    """What every unit will say that runs this release as it is."""
    settings = read_settings(files[SETTINGS], "troth.json")
    services = settings.get("services", {})
    return DeviceClaims(
        hwmodel=settings["hwmodel"],
        swname=settings["swname"],
        swversion=settings["swversion"],
        chip=release.chip,
        app_digest=release.app_digest,
        code_digest=release.code_digest,
        cfg_digest=release.cfg_digest,
        app_secver=release.secure_version,
        webrepl_on=bool(services.get("webrepl", False)),
        ap_on=services.get("ap") is not None,
        ap_auth=services.get("ap"),
    )
