"""From what feeds brought to the facts about one release: `v.` names, each with its age.

A flaw is looked for in a release only through its component list; without a valid one, or without
a vulnerability feed, nothing is said of flaws at all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ..core import flaws, incident
from ..core.feeds import NEVER, NO_FEEDS, Feeds
from ..core.flaws import Affected, Build, Component, Flaw, Known, Span, Word
from ..core.incident import Incident, Kind
from ..core.reference import Policy, Release, Statement
from ..core.versions import order
from ..store import FeedRow, Store

AGEING = ("osv", "kev")  # a maker's word (vex) stands until he says another


class Fed:
    """The feeds of one store, until a record changes; what stays the same is not read again."""

    def __init__(self, store: Store, policy: Policy, before: Fed | None = None) -> None:
        self._rows = store.feeds()
        self._incidents = tuple(row.incident for row in store.incidents())
        self._register_at = store.register_at()
        self._max_cvss = policy.max_cvss
        # asked of every model's statements: only where a maker's own records need it
        shared = self._incidents or any(row.kind == "contact" for row in self._rows)
        self._siblings = _siblings(store) if shared else {}
        self._supposed: dict[str, dict[str, Any]] = {}
        read: dict[int, Any] = before._documents if before else {}
        self._documents: dict[int, Any] = {
            row.id: read.get(row.id) or json.loads(store.feed_document(row.id))
            for row in self._rows
        }
        self._known: Known | None = None
        if before is not None and before._incidents == self._incidents:
            self._known = before._known if read.keys() == self._documents.keys() else None
        self._kept: dict[tuple[str | None, ...], Feeds] = {}

    def of(
        self,
        model: str | None,
        running: Release | None,
        releases: Sequence[Release],
        declared: Statement,
    ) -> Feeds:
        """The facts about a model and the release that runs; the same object for the same ones."""
        key = (model, running.id if running else "", declared.vdp_url, declared.vdp_contact)
        if key not in self._kept:
            found = self._made(model, running, releases, declared)
            self._kept[key] = NO_FEEDS if found == NO_FEEDS else found
        return self._kept[key]

    def _made(
        self,
        model: str | None,
        running: Release | None,
        releases: Sequence[Release],
        declared: Statement,
    ) -> Feeds:
        # what a maker owes is the same for all his models, whichever unit is looked at
        models = self._siblings.get(declared.vdp_url or "", frozenset()) | {model or ""}
        found = self._with_incidents(NO_FEEDS, models)
        found = self._with_contact(found, models, declared.vdp_contact)
        if any(row.kind == "osv" for row in self._rows):
            # a list of exploited flaws alone knows no versions: it is no vulnerability feed
            ages = (row.at for row in self._rows if row.kind in AGEING)
            found = replace(found, vuln_feed_at=min(ages))
        if running is None:
            return found
        said = self._sbom(running)
        if said is not None:
            found = replace(
                found,
                sbom_valid=True,
                sbom_subject_digest=said["subject"] or None,
                sbom_missing=tuple(said["missing"]),
                sbom_at=said["made"],
            )
            found = self._with_lifecycles(found, said["components"])
        return self._with_flaws(found, running, releases)

    def _with_flaws(self, found: Feeds, running: Release, releases: Sequence[Release]) -> Feeds:
        build = self._build(running)
        if build is None or found.vuln_feed_at is None:
            return found
        known, score = self.known, self._max_cvss
        still = flaws.still_open(build, known, max_cvss=score)
        concerned = flaws.concerning(build, known)
        fixes: dict[str, int] = {}
        for newer in releases:
            other = self._build(newer) if _is_newer(newer, running) else None
            if other is not None:
                for name in still:
                    if flaws.is_fixed_in(other, concerned[name], known):
                        fixes[name] = min(newer.released, fixes.get(name, newer.released))
        before = [self._build(each) for each in releases if _is_newer(running, each)]
        fixed = flaws.fixed_since(build, [each for each in before if each], known)
        return replace(
            found,
            vulns_open=still,
            vulns_fixable=tuple(sorted(fixes)),
            fix_released=min(fixes.values(), default=None),
            vulns_fixed=fixed,
            vulns_unadvised=flaws.unadvised(fixed, running.model, known),
        )

    def _with_lifecycles(self, found: Feeds, components: Sequence[Sequence[str]]) -> Feeds:
        rows = [row for row in self._rows if row.kind == "eol"]
        if not rows:
            return found
        ended = {
            (package.casefold(), name)
            for row in rows
            for package, name, is_ended, ends in self._documents[row.id]
            if is_ended or (ends is not None and ends <= row.at)
        }
        past = sorted(
            f"{package} {version}"
            for package, version in components
            if any((package.casefold(), cycle) in ended for cycle in _cycles(version))
        )
        at = min(row.at for row in rows)
        return replace(found, components_eol=tuple(past), component_feed_at=at)

    def _with_incidents(self, found: Feeds, models: frozenset[str]) -> Feeds:
        if self._register_at is None:
            return found
        ours = [each for each in self._incidents if each.is_about(models)]
        exploited = [each for each in ours if each.kind is Kind.EXPLOITED]
        severe = [each for each in ours if each.kind is Kind.SEVERE]
        return replace(
            found,
            incident_feed_at=self._register_at,
            exploited_count=_owing(exploited),
            exploited_due=incident.next_due(exploited),
            exploited_late=incident.late(exploited),
            severe_count=_owing(severe),
            severe_due=incident.next_due(severe),
            severe_late=incident.late(severe),
        )

    def _with_contact(self, found: Feeds, models: frozenset[str], declared: str | None) -> Feeds:
        row = self._last(lambda row: row.kind == "contact" and row.subject in models)
        if row is None:
            return found
        said = self._documents[row.id]
        plain = {each.removeprefix("mailto:").casefold() for each in said["contacts"]}
        agrees = declared is None or declared.removeprefix("mailto:").casefold() in plain
        return replace(
            found,
            contact_ok=agrees,
            contact_checked=row.at,
            contact_expires=NEVER if said["expires"] is None else said["expires"],
        )

    def with_list(self, release: Release, said: dict[str, Any]) -> None:
        """Suppose that this is the component list of a release that is not kept yet."""
        self._supposed[release.id] = said

    @property
    def known(self) -> Known:
        """Flaws, words and exploited names of all sources together."""
        if self._known is None:
            every = [(row.kind, self._documents[row.id]) for row in self._rows]
            self._known = Known(
                tuple(_flaw(each) for kind, said in every if kind == "osv" for each in said),
                tuple(Word(*each) for kind, said in every if kind == "vex" for each in said),
                frozenset(name for kind, said in every if kind == "kev" for name in said)
                | {each.flaw for each in self._incidents if each.kind is Kind.EXPLOITED},
            )
        return self._known

    def _build(self, release: Release) -> Build | None:
        said = self._sbom(release)
        if said is None:
            return None
        parts = tuple(Component(*each) for each in said["components"])
        return Build(release.model, release.version, parts)

    def _sbom(self, release: Release) -> dict[str, Any] | None:
        if release.id in self._supposed:
            return self._supposed[release.id]
        row = self._last(lambda row: row.kind == "sbom" and row.subject == release.id)
        found: dict[str, Any] | None = self._documents[row.id] if row else None
        return found

    def _last(self, fits: Callable[[FeedRow], bool]) -> FeedRow | None:
        return max((row for row in self._rows if fits(row)), key=lambda row: row.id, default=None)


def _siblings(store: Store) -> dict[str, frozenset[str]]:
    """The models of each maker, who is known by where he takes reports of flaws."""
    found: dict[str, frozenset[str]] = {}
    for model in store.stated_models():
        said = store.statement(model)
        if said is not None and said.vdp_url:
            found[said.vdp_url] = found.get(said.vdp_url, frozenset()) | {model}
    return found


def _cycles(version: str) -> list[str]:
    """`v1.2.3` belongs to the cycles 1.2.3, 1.2 and 1."""
    parts = version.removeprefix("v").split(".")
    return [".".join(parts[:length]) for length in range(len(parts), 0, -1)]


def _owing(incidents: list[Incident]) -> int:
    """Those for which Article 14 asks reports at all."""
    return sum(bool(incident.filings(each)) for each in incidents)


def _is_newer(one: Release, other: Release) -> bool:
    if one.withdrawn is not None:
        return False
    ours, theirs = (one.released, order(one.version)), (other.released, order(other.version))
    return ours > theirs


def _flaw(said: list[Any]) -> Flaw:
    ident, aliases, score, affected = said
    return Flaw(
        ident,
        tuple(aliases),
        score,
        tuple(
            Affected(name, tuple(Span(*span) for span in spans), tuple(versions))
            for name, spans, versions in affected
        ),
    )
