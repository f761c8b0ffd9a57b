"""The half of the Store that asks: each question on a reading connection of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from sqlalchemy.engine import Connection

from ..core.claims import Token
from ..core.device import Provisioning
from ..core.feeds import NEVER
from ..core.freshness import Freshness, Handle
from ..core.reference import Statement
from ..core.waiver import Scope
from . import (
    audit,
    epochs,
    evidence,
    extract,
    feeds,
    fleet,
    flocks,
    judged,
    kinds,
    references,
    registry,
    timeline,
    told,
    waivers,
)
from .engine import Engines
from .rows import (
    AuditRow,
    BaselineRow,
    ChallengeRow,
    Counted,
    DeviceRow,
    EvidenceRow,
    FeedRow,
    IncidentRow,
    IntervalRow,
    JudgedRow,
    KeyRow,
    ProvisioningRow,
    RejectionRow,
    ReleaseRow,
    SetRow,
    StatementRow,
    StateRow,
    StepRow,
    Stood,
    WaiverRow,
)

T = TypeVar("T")


class Reading:
    """What the store can be asked."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    def generation(self) -> int:
        """Goes up whenever devices, keys, releases, statements or baselines change, in any process.

        Whoever caches what those gave compares it and forgets.
        """
        return self._read(registry.generation)

    def devices(self) -> tuple[DeviceRow, ...]:
        """All devices, by name."""
        return self._read(registry.devices)

    def device(self, ref: str) -> DeviceRow | None:
        """One device by id, name, ueid (hex) or MAC (hex, with or without colons)."""
        return self._read(lambda conn: registry.device(conn, ref))

    def of_scope(self, scope: Scope, subject: str) -> list[str]:
        """The ids of the units that a waiver of this scope is for."""
        return self._read(lambda conn: registry.of_scope(conn, scope, subject))

    def enrolled_since(self, instant: int) -> list[tuple[str, int]]:
        """Units that were enrolled after an instant, and when."""
        return self._read(lambda conn: registry.enrolled_since(conn, instant))

    def keys(self, device: str) -> tuple[KeyRow, ...]:
        """All keys that a device had, oldest epoch first."""
        return self._read(lambda conn: registry.keys(conn, device))

    def key(self, kid: bytes) -> KeyRow | None:
        """The one key with this key id, revoked or not."""
        return self._read(lambda conn: registry.key(conn, kid))

    def rotations(self) -> dict[str, KeyRow]:
        """The keys that are to be replaced, by device id: nobody has a report under a newer one."""
        return self._read(registry.rotations)

    def keys_in_force(self, algorithm: int) -> int:
        """How many devices answer with a key of this algorithm."""
        return self._read(lambda conn: registry.keys_in_force(conn, algorithm))

    def every_key(self) -> dict[str, list[KeyRow]]:
        """All keys by device, oldest epoch first."""
        return self._read(registry.every_key)

    def every_provisioning(self) -> dict[str, Provisioning]:
        """The newest provisioning record by device."""
        return self._read(registry.every_provisioning)

    def last_given(self) -> dict[str, int]:
        """When each device last gave its word."""
        return self._read(evidence.last_given)

    def owners(self, device: str) -> tuple[int, int]:
        """How many devices claim this one's ueid, and how many its current public key."""
        return self._read(lambda conn: registry.owners(conn, device))

    def provisioning(self, device: str) -> Provisioning | None:
        """The newest provisioning record, or None."""
        rows = self.provisionings(device)
        return rows[-1].provisioning if rows else None

    def provisionings(self, device: str) -> tuple[ProvisioningRow, ...]:
        """All provisioning records of a device, oldest first."""
        return self._read(lambda conn: registry.provisionings(conn, device))

    def releases(self, model: str | None = None, chip: str | None = None) -> tuple[ReleaseRow, ...]:
        """Releases, oldest first, withdrawn ones included."""
        return self._read(lambda conn: references.releases(conn, model, chip))

    def release(self, ref: str) -> ReleaseRow | None:
        """One release by its id or the beginning of it."""
        return self._read(lambda conn: references.release(conn, ref))

    def statement(self, model: str) -> Statement | None:
        """What the maker last stated for this model."""
        rows = self.statements(model)
        return rows[-1].statement if rows else None

    def statements(self, model: str) -> tuple[StatementRow, ...]:
        """All statements for a model, oldest first."""
        return self._read(lambda conn: references.statements(conn, model))

    def stated_models(self) -> set[str]:
        """Every model of which something was ever stated."""
        return self._read(references.stated_models)

    def support_end_max_seen(self, model: str) -> int | None:
        """The latest end of support that the maker ever stated for this model."""
        return self._read(lambda conn: references.support_end_max_seen(conn, model))

    def baselines(self, device: str | None, model: str | None) -> tuple[BaselineRow, ...]:
        """Approvals that hold for this device id or this model; all when both are None."""
        return self._read(lambda conn: references.baselines(conn, device, model))

    def waivers(self) -> tuple[WaiverRow, ...]:
        """All waivers that ever were, oldest first, ended ones included."""
        return self._read(waivers.every)

    def waiver(self, ref: str) -> WaiverRow | None:
        """One waiver by its id or the beginning of it."""
        return self._read(lambda conn: waivers.one(conn, ref))

    def feeds(self) -> tuple[FeedRow, ...]:
        """The last of each kind, source and subject."""
        return self._read(feeds.current)

    def every_feed(self) -> tuple[FeedRow, ...]:
        """All that were ever brought, oldest first."""
        return self._read(feeds.every)

    def feed_document(self, ident: int) -> bytes:
        """What one feed brought, as it was normalised."""
        return self._read(lambda conn: feeds.document(conn, ident))

    def incidents(self, at: int = NEVER) -> tuple[IncidentRow, ...]:
        """All that were written down by an instant, in the order in which they became known."""
        return self._read(lambda conn: feeds.incidents(conn, at))

    def incident_steps(self, incident: str) -> tuple[StepRow, ...]:
        """The steps of one incident in the order in which they were recorded."""
        return self._read(lambda conn: feeds.steps(conn, incident))

    def register_at(self, at: int = NEVER) -> int | None:
        """When the incidents were last touched or found complete; None: not kept by then."""
        return self._read(lambda conn: feeds.register_at(conn, at))

    def has_expired_waiver(self, now: int) -> bool:
        """Did a waiver run out whose end is not on record yet?"""
        return self._read(lambda conn: waivers.has_expired(conn, now))

    def challenge(self, session: str) -> ChallengeRow | None:
        """A challenge by its session, spent or not."""
        return self._read(lambda conn: evidence.challenge(conn, session))

    def evidence(self, ident: int) -> EvidenceRow | None:
        """One accepted report by its id."""
        return self._read(lambda conn: evidence.one(conn, ident))

    def evidences(
        self,
        device: str,
        *,
        limit: int = 50,
        before: int | None = None,
        since: int | None = None,
        late: bool | None = None,
    ) -> tuple[EvidenceRow, ...]:
        """Reports of a device, as they came, newest first; `before` is an id, `since` an instant.

        `late`: only those that came late, or only those that did not.
        """
        return self._read(lambda conn: evidence.of(conn, device, limit, before, since, late))

    def counted(self, device: str, *, limit: int) -> tuple[Counted, ...]:
        """The places of a device's newest reports in the order in which it signed them."""
        return self._read(lambda conn: evidence.counted(conn, device, limit))

    def latest_evidence(self, device: str, as_of: int | None = None) -> EvidenceRow | None:
        """The newest report of a device, or the newest up to an instant; late ones never are."""
        return self._read(lambda conn: evidence.latest(conn, device, as_of))

    def tokens(self, device: str, epoch: int) -> Iterator[tuple[Token, int, Freshness, int]]:
        """All reports of a device under one key, as they came, with their instants and rows."""
        return iter(self._read(lambda conn: evidence.tokens(conn, device, epoch)))

    def newest_handle(self) -> Handle | None:
        """The epoch handle that was published last."""
        return self._read(epochs.newest)

    def handle(self, nonce: bytes) -> Handle | None:
        """An epoch handle of ours, good or not."""
        return self._read(lambda conn: epochs.find(conn, nonce))

    def held(self, device: str, digests: frozenset[bytes]) -> dict[bytes, Freshness]:
        """Which of these are on record as a device's evidence, by the SHA-256 of their bytes."""
        return self._read(lambda conn: epochs.held(conn, device, digests))

    def set_raw(self, digest: bytes) -> SetRow | None:
        """A claims-set as its bytes came."""
        return self._read(lambda conn: evidence.claims_set(conn, digest))

    def reported_sets(self) -> tuple[bytes, ...]:
        """The digests of the claims-sets that devices reported last."""
        return self._read(evidence.reported_sets)

    def sets_of(self, device: str) -> tuple[SetRow, ...]:
        """The distinct claims-sets that a device ever reported, oldest first."""
        return self._read(lambda conn: evidence.sets_of(conn, device))

    def intervals(
        self, subject: str, *, kind: str = "unit", as_of: int | None = None
    ) -> tuple[IntervalRow, ...]:
        """The answers that hold for a subject now, or held at an instant; by duty."""
        return self._read(lambda conn: timeline.current(conn, kind, subject, as_of))

    def all_intervals(self, *, as_of: int | None = None) -> tuple[IntervalRow, ...]:
        """The answers that hold for every subject, now or at an instant."""
        return self._read(lambda conn: timeline.current(conn, None, None, as_of))

    def take_out(self, device: str, model: str | None) -> extract.Rows:
        """All that is known of a device and of what it is compared with, row by row."""
        return self._read(lambda conn: extract.take(conn, device, model))

    def shared_intervals(self, *, as_of: int | None = None) -> tuple[IntervalRow, ...]:
        """The answers that hold for what units stand under: releases, models, makers."""
        return self._read(lambda conn: timeline.shared(conn, as_of))

    def alike(self, asked: fleet.Asked) -> tuple[fleet.Alike, ...]:
        """Units in groups of those that nothing tells apart but their names."""
        return self._read(lambda conn: fleet.alike(conn, asked))

    def members(self, asked: fleet.Asked, key: fleet.Key) -> dict[fleet.Key, list[fleet.Member]]:
        """Who the units of such a group are, and of all that hold the same sheet."""
        return self._read(lambda conn: fleet.members(conn, asked, key))

    def judged(self, as_of: int | None = None) -> tuple[JudgedRow, ...]:
        """Under which rules everybody was judged, newest first."""
        return self._read(lambda conn: judged.rows(conn, as_of))

    def stays(self, as_of: int) -> dict[str, told.Stay]:
        """Which sheets each unit held up to an instant, and where their answers began."""
        return self._read(lambda conn: told.stays(conn, as_of))

    def words_of(self, duty: str, as_of: int) -> dict[str, told.Words]:
        """What units were told of a duty by values of their own reports, by device id."""
        return self._read(lambda conn: told.words(conn, duty, as_of))

    def failing_since(
        self, subject: str | None = None, *, kind: str = "unit", as_of: int | None = None
    ) -> dict[tuple[str, str, str], int]:
        """Since when without a break, for each failing answer, by kind, subject and duty."""
        return self._read(lambda conn: timeline.failing_since(conn, as_of, kind, subject))

    def failing_rows(self, as_of: int) -> dict[tuple[str, str, str], int]:
        """The same of what stands on no unit's sheet."""
        return self._read(lambda conn: timeline.failing_rows(conn, as_of))

    def history(
        self, subject: str, *, kind: str = "unit", duty: str | None = None
    ) -> tuple[IntervalRow, ...]:
        """Every interval of a subject, newest first."""
        return self._read(lambda conn: timeline.history(conn, kind, subject, duty))

    def stood(self, device: str) -> tuple[Stood, ...]:
        """Under which release, model and maker a device stood from when to when."""
        return self._read(lambda conn: timeline.stood(conn, device))

    def subjects(self, device: str, *, as_of: int | None = None) -> dict[str, str]:
        """Subject kind -> subject id under which this device's duties are answered."""
        return self._read(lambda conn: timeline.subjects(conn, device, as_of))

    def state(self, device: str, *, as_of: int | None = None) -> StateRow | None:
        """A device's state as last written; the clock may have outrun it: see fleet.clock."""
        return self._read(lambda conn: timeline.state(conn, device, as_of))

    def states(self, *, as_of: int | None = None) -> dict[str, StateRow]:
        """The state of every device that ever had one, by device id."""
        return self._read(lambda conn: timeline.states(conn, as_of))

    def state_history(self, device: str) -> tuple[StateRow, ...]:
        """Every state interval of a device, newest first."""
        return self._read(lambda conn: timeline.state_history(conn, device))

    def due(self, now: int) -> tuple[str, ...]:
        """Devices whose written answers the clock has outrun."""
        return self._read(lambda conn: timeline.due(conn, now))

    def last_head(self) -> int:
        """The last row of what every report moves; 0: nobody ever reported."""
        return self._read(kinds.last)

    def head_rows(self, devices: Sequence[str]) -> list[tuple[int, str]]:
        """Those of these units that ever reported, by their row, in its order."""
        return self._read(lambda conn: kinds.rows(conn, devices))

    def flocks(self, window: flocks.Window) -> flocks.Found:
        """Who can be judged as one, and what they have in common."""
        return self._read(lambda conn: flocks.find(conn, window))

    def standings(self, devices: Sequence[str]) -> dict[str, kinds.Standing]:
        """What makes the kinds of these units."""
        return self._read(lambda conn: kinds.standings(conn, devices))

    def rejections(self, device: str | None = None, *, limit: int = 50) -> tuple[RejectionRow, ...]:
        """Refused messages, newest first; of one signer, or all."""
        return self._read(lambda conn: evidence.rejections(conn, device, limit))

    def audit(self, *, after: int = 0, limit: int = 1000) -> tuple[AuditRow, ...]:
        """The audit chain from an id on."""
        return self._read(lambda conn: audit.rows(conn, after, limit))

    def audit_breaks(self) -> tuple[int, ...]:
        """The ids of audit rows that do not follow from the row before; empty when all is well."""
        return self._read(audit.breaks)

    def _read(self, ask: Callable[[Connection], T]) -> T:
        return self._engines.ask(ask)
