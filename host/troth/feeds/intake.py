"""Bringing a feed in: read all of it, find out how old it is, and keep it only when that is sound.

A feed's age is the newest date that its own documents state, or the day on which the mirror was
brought up to date where somebody says so; what is too old, or older than what is there, is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.flaws import Flaw, Word
from ..core.reference import Policy, Release
from ..fleet.words import iso
from ..store import FeedRow, Store
from ..trouble import Trouble
from . import contact, csaf, kev, lifecycle, osv, sbom
from .pile import Pile

_SLACK = 300  # s: a clock may run ahead by that


@dataclass(frozen=True, slots=True)
class Brought:
    """What a place holds, before it is weighed."""

    kind: str
    source: str
    subject: str
    at: int
    items: int
    document: Any
    digest: str
    ages: bool = True
    proof: str = ""  # what lay beside it and was found to hold


def osv_feed(place: Path, source: str, *, synced: int | None) -> Brought:
    """OSV records from a file or a folder."""
    found: list[Flaw] = []
    newest, pile = 0, Pile(place)
    for document in pile:
        record = osv.read(document)
        newest = max(newest, record.modified)
        if record.flaw is not None:
            found.append(record.flaw)
    at = synced or newest
    return Brought("osv", source, "", at, len(found), found, pile.digest, proof=pile.proof)


def kev_feed(place: Path, source: str) -> Brought:
    """A catalogue of exploited flaws; it says itself when it was released."""
    pile = Pile(place)
    names, at = kev.read(pile.only())
    return Brought("kev", source, "", at, len(names), names, pile.digest, proof=pile.proof)


def vex_feed(place: Path, source: str) -> Brought:
    """CSAF and VEX documents from a file or a folder."""
    words: list[Word] = []
    newest, pile = 0, Pile(place)
    for document in pile:
        told = csaf.read(document)
        newest = max(newest, told.released)
        words += told.words
    said = (newest, len(words), words, pile.digest)
    return Brought("vex", source, "", *said, ages=False, proof=pile.proof)


def sbom_feed(place: Path, release: Release, files: Mapping[str, bytes] | None) -> Brought:
    """The component list of one release."""
    pile = Pile(place)
    found = sbom.read(pile.only())
    document = {
        "made": found.made,
        "subject": found.subject,
        "components": found.components,
        "missing": sbom.missing(found, release, files),
    }
    items = len(found.components) + len(found.files)
    said = (found.made, items, document, pile.digest)
    return Brought("sbom", "", release.id, *said, ages=False, proof=pile.proof)


def eol_feed(place: Path, source: str, *, synced: int | None) -> Brought:
    """Until when components are cared for."""
    pile = Pile(place)
    said = lifecycle.read(pile.only())
    at = synced or said.generated
    if not at:
        raise Trouble(
            "feed.undated",
            f"{place.name} does not say of when it is",
            fix="--synced TIME, when it was fetched",
        )
    cycles = said.cycles
    return Brought("eol", source, "", at, len(cycles), cycles, pile.digest, proof=pile.proof)


def contact_feed(place: Path, model: str, *, synced: int) -> Brought:
    """The maker's security.txt, as it was fetched."""
    found = contact.read(place)
    digest = hashlib.sha256(place.read_bytes()).hexdigest()
    document = {"contacts": found.contacts, "expires": found.expires}
    return Brought("contact", "", model, synced, len(found.contacts), document, digest)


def keep(store: Store, policy: Policy, brought: Brought, *, at: int, by: str) -> FeedRow:
    """Weigh and store it. Trouble `feed.future`, `feed.stale` or `feed.older`."""
    _check_age(brought, policy, at)
    last = _last(store, brought)
    if last is not None and brought.at < last.at:
        raise Trouble(
            "feed.older",
            f"this {brought.kind} feed is of {iso(brought.at)}, the one that is here of "
            f"{iso(last.at)}",
            fix="fetch the newest state",
        )
    row = FeedRow(
        id=0,
        kind=brought.kind,
        source=brought.source,
        subject=brought.subject,
        at=brought.at,
        items=brought.items,
        digest=brought.digest,
        proof=brought.proof,
        added=at,
        by=by,
    )
    if last is None or (last.digest, last.at) != (row.digest, row.at):
        store.add_feed(row, json.dumps(brought.document, separators=(",", ":")).encode())
    found = _last(store, brought)
    return found if found is not None else row


def _check_age(brought: Brought, policy: Policy, now: int) -> None:
    if brought.at > now + _SLACK:
        raise Trouble(
            "feed.future",
            f"this {brought.kind} feed is of {iso(brought.at)}: that is still to come",
            fix="set the clock, or fetch it from a source whose dates are right",
        )
    if brought.ages and now - brought.at >= policy.max_feed_age:
        raise Trouble(
            "feed.stale",
            f"this {brought.kind} feed is of {iso(brought.at)}, older than "
            f"{policy.max_feed_age // 86_400} days",
            why="what it does not know of may be known since",
            fix="fetch it again; a mirror that is up to date without new records: --synced TIME",
        )


def _last(store: Store, brought: Brought) -> FeedRow | None:
    ours = (brought.kind, brought.source, brought.subject)
    rows = [row for row in store.feeds() if (row.kind, row.source, row.subject) == ours]
    return rows[-1] if rows else None
