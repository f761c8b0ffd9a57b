"""One report against what was released: each claim, what is asked of it, and what differs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from ..core.claims import DeviceClaims, Token
from ..core.device import fuse_regressions
from ..core.duties import Facts
from ..core.freshness import Challenge, Freshness
from ..core.reference import Release
from ..core.verdict import Catalogue, judge
from ..formats import eat
from ..store import Store
from ..store.rows import DeviceRow, EvidenceRow, KeyRow
from ..trouble import Trouble
from .asks import Ask, asks
from .context import Context
from .diag import diag
from .words import iso, plain

_NAMES = tuple(field.name for field in fields(DeviceClaims) if field.name != "declared")


class Match(StrEnum):
    """How a claim stands to what is asked of it."""

    DIFFERS = "differs"
    UNSAID = "unsaid"  # asked for, and not said
    SAME = "same"
    FREE = "not compared"


_ORDER = tuple(Match)
_BINDING = ("", "one of", "each one of", "at least")  # words that say nothing without values


@dataclass(frozen=True, slots=True)
class ClaimRow:
    claim: str  # d.name
    said: str
    expected: str
    match: Match
    duties: tuple[str, ...]  # those that ask, or those that fail where it differs


@dataclass(frozen=True, slots=True)
class EvidenceView:
    row: EvidenceRow
    device: DeviceRow
    claims: tuple[ClaimRow, ...]  # what differs first
    against: str  # in words: what the right column is
    release: Release | None
    key: KeyRow | None
    challenge: Challenge | None
    previous: int | None
    set_bytes: bytes
    diag: str
    set_diag: str

    @property
    def algorithm(self) -> str:
        return eat.ALGORITHMS[self.key.algorithm if self.key else eat.ES256]

    @property
    def differing(self) -> tuple[ClaimRow, ...]:
        return tuple(row for row in self.claims if row.match is Match.DIFFERS)

    @property
    def with_set(self) -> bool:
        """Did the claims-set travel with the token?"""
        return self.row.raw[:3] == b"\xd9\x02\x5a"  # tag 602

    @property
    def offline(self) -> tuple[str, ...]:
        """The exact commands that judge these bytes again, beside a copy of store and policy."""
        name = file_name(self.row)
        nonce = f" --nonce {self.challenge.nonce.hex()}" if self.challenge else ""
        return (
            f"troth evidence show {self.row.id} --raw > {name}",
            f"troth evidence verify {name}{nonce} --at {iso(self.row.received)} "
            "--db sqlite:///copy-of-troth.db --json",
        )


def file_name(row: EvidenceRow) -> str:
    return f"evidence-{row.id}.cbor"


def find_evidence(context: Context, ref: str) -> EvidenceRow:
    """Trouble `evidence.unknown`."""
    # SQLite holds 63 bits; a longer number is no id of ours
    row = context.store.evidence(int(ref)) if ref.isdecimal() and len(ref) < 18 else None
    if row is None:
        raise Trouble(
            "evidence.unknown", f"no evidence {ref[:40]!r}", fix="troth device show DEVICE lists it"
        )
    return row


def view_evidence(
    context: Context, catalogue: Catalogue, ref: str, *, against: str = "ref"
) -> EvidenceView:
    """One report, compared with the references (`ref`) or with the report before (`previous`)."""
    store = context.store
    row = find_evidence(context, ref)
    device = store.device(row.device)
    known = context.claims_set(row.set_digest)
    if device is None or known is None:
        raise Trouble("store.damaged", f"evidence {row.id} has lost its device or claims-set")
    before = _previous(context, row)
    facts = _facts(context, row)
    if against == "previous":
        earlier = context.claims_set(before.set_digest) if before else None
        claims = changes(known.claims, earlier.claims if earlier else None)
        words = f"evidence {before.id}" if before else "nothing before it"
    else:
        claims = compare(facts, catalogue, labels(context, device)) if facts else ()
        words = "what is released, approved and asked today"
    challenge = _challenge(store, row)
    raw_set = store.set_raw(row.set_digest)
    return EvidenceView(
        row=row,
        device=device,
        claims=claims,
        against=words,
        release=facts.r.release if facts else None,
        key=store.key(row.key_id),
        challenge=challenge,
        previous=before.id if before else None,
        set_bytes=raw_set.raw if raw_set else b"",
        diag=diag(row.raw),
        set_diag=diag(raw_set.raw) if raw_set else "",
    )


def compare(facts: Facts, catalogue: Catalogue, names: Mapping[str, str]) -> tuple[ClaimRow, ...]:
    """Every claim beside what the duties ask of it; differing ones first."""
    said = {each.duty: each for each in judge(facts, catalogue).appraisals}
    wanted: dict[str, list[Ask]] = defaultdict(list)
    for duty in catalogue.duties:
        for ask in asks(duty, said[duty.id], facts):
            wanted[ask.claim].append(ask)
    rows = [_row(facts.d, name, wanted[name], names) for name in _NAMES]
    rows = [row for row in rows if row.said != "not said" or row.match is not Match.FREE]
    return _sorted(_with_fuses(row, facts) for row in rows)


def changes(now: DeviceClaims, before: DeviceClaims | None) -> tuple[ClaimRow, ...]:
    """The same claims in an earlier report."""
    rows = []
    for name in _NAMES:
        new, old = getattr(now, name), getattr(before, name, None)
        if new is None and old is None:
            continue
        match = Match.FREE if before is None else Match.SAME if new == old else Match.DIFFERS
        rows.append(ClaimRow(f"d.{name}", _said(now, name, {}), text(old, {}), match, ()))
    return _sorted(rows)


def labels(context: Context, device: DeviceRow) -> dict[str, str]:
    """What each digest is, in words: `release 1.3.9, withdrawn`."""
    found: dict[str, str] = {}
    for row in context.store.releases(device.model, device.chip):
        release = row.release
        word = f"release {release.version}" + (", withdrawn" if release.withdrawn else "")
        for digest in (release.app_digest, release.code_digest, release.cfg_digest):
            found[digest] = word  # the newest that has it
    for baseline in context.store.baselines(device.id, device.model):
        found.setdefault(baseline.cfg_digest, f"approved for this {baseline.scope}")
    return found


def text(value: Any, names: Mapping[str, str]) -> str:
    """A claim's value for people; digests keep all their digits."""
    if value is None:
        return "not said"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(text(each, names) for each in value) or "none"
    known = names.get(value) if isinstance(value, str) else None
    return f"{value} ({known})" if known else plain(value, 256)


def _said(claims: DeviceClaims, name: str, names: Mapping[str, str]) -> str:
    mark = ", declared" if f"d.{name}" in claims.declared else ""
    return text(getattr(claims, name), names) + mark


def _row(d: DeviceClaims, name: str, wanted: list[Ask], names: Mapping[str, str]) -> ClaimRow:
    failing = [ask for ask in wanted if ask.holds is False]
    # a whole rule says little about one claim unless it fails or nothing else asks
    single = [ask for ask in wanted if "||" not in ask.words]
    shown = [ask for ask in failing if ask in single] or failing or single[:1] or wanted[:1]
    asking = failing or single or wanted
    return ClaimRow(
        f"d.{name}",
        _said(d, name, names),
        "; ".join(dict.fromkeys(_expected(ask, names) for ask in shown)),
        _match(getattr(d, name), wanted),
        tuple(dict.fromkeys(ask.duty for ask in asking)),
    )


def _match(value: Any, wanted: list[Ask]) -> Match:
    if any(ask.holds is False for ask in wanted):
        return Match.DIFFERS
    if value is None and any(ask.holds is None for ask in wanted):
        return Match.UNSAID
    return Match.SAME if value is not None and any(ask.holds for ask in wanted) else Match.FREE


def _expected(ask: Ask, names: Mapping[str, str]) -> str:
    if not ask.wants and ask.words in _BINDING:
        return "nothing to compare with" if ask.holds is None else "none"
    if not ask.wants:
        return ask.words
    values = ", ".join(text(each, names) for each in ask.wants[:4])
    more = f" and {len(ask.wants) - 4} more" if len(ask.wants) > 4 else ""
    word = "" if ask.words in ("one of", "each one of") and len(ask.wants) == 1 else ask.words
    return f"{word} {values}{more}".strip()


def _with_fuses(row: ClaimRow, facts: Facts) -> ClaimRow:
    """Fuses are compared with the provisioning record: they can only be burned, never mended."""
    line = facts.u.provisioning
    if row.claim != "d.fuses" or line is None or facts.d.fuses is None:
        return row
    lost = fuse_regressions(line.fuses, facts.d.fuses)
    match = Match.DIFFERS if lost else Match.SAME
    return ClaimRow(
        row.claim, row.said, f"all of {line.fuses} burned", match, ("ident.fuses-monotonic",)
    )


def _sorted(rows: Iterable[ClaimRow]) -> tuple[ClaimRow, ...]:
    return tuple(sorted(rows, key=lambda row: _ORDER.index(row.match)))


def _facts(context: Context, row: EvidenceRow) -> Facts | None:
    unit = context.unit(row.device)
    known = context.claims_set(row.set_digest)
    if unit is None or known is None:
        return None
    token = Token(
        ueid=bytes.fromhex(unit.ueid),
        nonce=b"",
        uptime_s=row.uptime_s,
        boot_count=row.boot_count,
        boot_seed=row.boot_seed,
        set_digest=row.set_digest,
        issued_at=row.issued_at,
        counter=row.counter,
    )
    late = row.freshness is Freshness.LATE
    return context.facts(
        unit, row.epoch, token, known, now=row.received, given=row.given, late=late
    )


def _challenge(store: Store, row: EvidenceRow) -> Challenge | None:
    """What it answers; a session's is not kept for long, an epoch handle stands in the row."""
    if row.freshness is not Freshness.CHALLENGE:
        handle = bytes.fromhex(row.session)
        return Challenge(row.session, handle, row.given, row.received, spent=True)
    kept = store.challenge(row.session)
    return kept.challenge if kept else None


def _previous(context: Context, row: EvidenceRow) -> EvidenceRow | None:
    earlier = context.store.evidences(row.device, limit=1, before=row.id)
    return earlier[0] if earlier else None
