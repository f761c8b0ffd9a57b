"""The Store: every question to and every change of what Troth remembers, on one screen.

Reads take a connection of their own; every write goes through one writer thread, which gathers
what waits into one durable commit. Nothing here judges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

from sqlalchemy.engine import Connection

from ..core.claims import ClaimsSet, Token
from ..core.device import Provisioning
from ..core.freshness import Challenge
from ..core.reference import Release, Statement
from ..core.verdict import Verdict
from . import audit, evidence, intervals, references, registry, timeline
from .changes import Accepted, Recorded, Refused, Spent, Subjects
from .engine import Engines, StoreUnavailable, open_engines
from .rows import (
    AuditRow,
    BaselineRow,
    ChallengeRow,
    DeviceRow,
    EvidenceRow,
    IntervalRow,
    KeyRow,
    ProvisioningRow,
    RejectionRow,
    ReleaseRow,
    SetRow,
    StatementRow,
    StateRow,
)
from .writer import Writer

T = TypeVar("T")


class Store:
    """One database. `Store.open(url, create=True)`; close it, or use it in a `with`."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._memory = intervals.Memory()
        self._changes = 0
        self._record = partial(evidence.record, memory=self._memory)
        self._writer = Writer(engines.write, on_undone=self._memory.forget)

    @classmethod
    def open(cls, url: str, *, create: bool = False) -> Store:
        """Open and bring up to date.

        Raises Trouble: `store.missing` (and not `create`), `store.unsafe` (the database does not
        promise durability), `store.newer` (written by a newer Troth), `store.url`.
        """
        return cls(open_engines(url, create=create))

    def close(self) -> None:
        """Finish what is queued and let go of the database."""
        self._writer.close()
        self._engines.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        return self._engines.url

    def generation(self) -> int:
        """Goes up whenever devices, keys, releases, statements or baselines change, in any process.

        Whoever caches what those gave compares it and forgets.
        """
        return self._read(registry.generation)

    @property
    def changes(self) -> int:
        """Goes up with every change that this very Store made to the registry or references."""
        return self._changes

    @property
    def foreign_writes(self) -> int:
        """Goes up when another connection was found to have written."""
        return self._memory.foreign

    def can_write(self) -> bool:
        """Try it: one durable change that changes nothing."""
        try:
            self._write(registry.touch)
        except StoreUnavailable:
            return False
        return True

    # --- the registry ---------------------------------------------------------------------

    def devices(self) -> tuple[DeviceRow, ...]:
        """All devices, by name."""
        return self._read(registry.devices)

    def device(self, ref: str) -> DeviceRow | None:
        """One device by id, name, ueid (hex) or MAC (hex, with or without colons)."""
        return self._read(lambda conn: registry.device(conn, ref))

    def new_device_id(self) -> str:
        """An id that no device has."""
        return registry.new_device_id()

    def enroll(
        self,
        device: DeviceRow,
        key: KeyRow,
        *,
        at: int,
        actor: str = "operator",
    ) -> None:
        """Register a device with its first key. Trouble `device.duplicate` or `key.duplicate`."""
        self._write(lambda conn: registry.enroll(conn, device, key, at=at, actor=actor))

    def change_device(
        self, device: str, *, at: int, actor: str = "operator", **changes: object
    ) -> DeviceRow:
        """Set registry fields (lifecycle, name, market, site ...) by device id; audited."""
        return self._write(lambda conn: registry.change(conn, device, changes, at=at, actor=actor))

    def keys(self, device: str) -> tuple[KeyRow, ...]:
        """All keys that a device had, oldest epoch first."""
        return self._read(lambda conn: registry.keys(conn, device))

    def key(self, kid: bytes) -> KeyRow | None:
        """The one key with this key id, revoked or not."""
        return self._read(lambda conn: registry.key(conn, kid))

    def add_key(self, key: KeyRow, *, at: int, actor: str = "operator") -> KeyRow:
        """Bind a new key in a new epoch and revoke the old ones. Trouble `key.duplicate`."""
        return self._write(lambda conn: registry.add_key(conn, key, at=at, actor=actor))

    def revoke_key(self, kid: bytes, *, at: int, actor: str = "operator") -> None:
        """From now on this key speaks for nobody."""
        self._write(lambda conn: registry.revoke_key(conn, kid, at=at, actor=actor))

    def owners(self, device: str) -> tuple[int, int]:
        """How many devices claim this one's ueid, and how many its current public key."""
        return self._read(lambda conn: registry.owners(conn, device))

    def add_provisioning(
        self,
        device: str,
        provisioning: Provisioning,
        record: bytes = b"{}",
        *,
        actor: str = "line",
    ) -> None:
        """Write down what the line saw; earlier records are kept."""
        self._write(
            lambda conn: registry.add_provisioning(conn, device, provisioning, record, actor=actor)
        )

    def provisioning(self, device: str) -> Provisioning | None:
        """The newest provisioning record, or None."""
        rows = self.provisionings(device)
        return rows[-1].provisioning if rows else None

    def provisionings(self, device: str) -> tuple[ProvisioningRow, ...]:
        """All provisioning records of a device, oldest first."""
        return self._read(lambda conn: registry.provisionings(conn, device))

    # --- references: releases, statements, baselines ---------------------------------------

    def add_release(
        self, release: Release, record: bytes, *, at: int, actor: str = "maker"
    ) -> None:
        """Keep a verified signed release, and its statement. Trouble `release.duplicate`."""
        self._write(lambda conn: references.add_release(conn, release, record, at=at, actor=actor))

    def withdraw_release(
        self, release: str, withdrawal: bytes, *, at: int, actor: str = "maker"
    ) -> None:
        """Keep a verified signed withdrawal. Trouble `release.unknown`, `release.withdrawn`."""
        self._write(lambda conn: references.withdraw(conn, release, withdrawal, at=at, actor=actor))

    def releases(self, model: str | None = None, chip: str | None = None) -> tuple[ReleaseRow, ...]:
        """Releases, oldest first, withdrawn ones included."""
        return self._read(lambda conn: references.releases(conn, model, chip))

    def release(self, ref: str) -> ReleaseRow | None:
        """One release by its id or the beginning of it."""
        return self._read(lambda conn: references.release(conn, ref))

    def add_statement(
        self, model: str, statement: Statement, record: bytes, *, at: int, actor: str = "maker"
    ) -> None:
        """A new statement of the maker for a model; earlier ones are kept."""
        self._write(
            lambda conn: references.add_statement(
                conn, model, statement, record, at=at, actor=actor
            )
        )

    def statement(self, model: str) -> Statement | None:
        """What the maker last stated for this model."""
        rows = self.statements(model)
        return rows[-1].statement if rows else None

    def statements(self, model: str) -> tuple[StatementRow, ...]:
        """All statements for a model, oldest first."""
        return self._read(lambda conn: references.statements(conn, model))

    def support_end_max_seen(self, model: str) -> int | None:
        """The latest end of support that the maker ever stated for this model."""
        return self._read(lambda conn: references.support_end_max_seen(conn, model))

    def add_baseline(
        self,
        scope: str,
        subject: str,
        cfg_digest: str,
        record: bytes,
        *,
        at: int,
        by: str = "operator",
    ) -> None:
        """Keep a verified signed approval of settings; `scope` is device or model."""
        self._write(
            lambda conn: references.add_baseline(
                conn, scope, subject, cfg_digest, record, at=at, by=by
            )
        )

    def baselines(self, device: str | None, model: str | None) -> tuple[BaselineRow, ...]:
        """Approvals that hold for this device id or this model; all when both are None."""
        return self._read(lambda conn: references.baselines(conn, device, model))

    # --- challenges and messages ------------------------------------------------------------

    def issue(self, challenge: Challenge, *, wait: bool = True) -> None:
        """Remember a challenge. With `wait=False` it is durable before anything that spends it."""
        if wait:
            self._writer.submit_many(evidence.issue, (challenge,)).result()
        else:
            self._writer.drop_in(evidence.issue, challenge)

    def challenge(self, session: str) -> ChallengeRow | None:
        """A challenge by its session, spent or not."""
        return self._read(lambda conn: evidence.challenge(conn, session))

    def drop_challenge(self, session: str) -> bool:
        """Forget a challenge; False when there is none. What it brought stays."""
        return self._write(lambda conn: evidence.drop_challenge(conn, session))

    def prune_challenges(self, before: int) -> int:
        """Forget challenges that expired before this instant; what they brought stays."""
        return self._write(lambda conn: evidence.prune_challenges(conn, before))

    def record(self, change: Accepted | Refused) -> Recorded | Spent:
        """Write one outcome in one durable transaction, challenge and all; or say it was spent."""
        return self.record_many([change])[0]

    def record_many(self, changes: Sequence[Accepted | Refused]) -> list[Recorded | Spent]:
        """Many outcomes under one durable commit; each spends its own challenge, once."""
        return list(self.record_soon(changes).result())

    def record_soon(
        self, changes: Sequence[Accepted | Refused]
    ) -> Future[Sequence[Recorded | Spent]]:
        """As `record_many`, for who cannot wait: the Future ends when it is on disk."""
        return self._writer.submit_many(self._record, changes)

    def turn(
        self, device: str, verdict: Verdict, subjects: Subjects, *, at: int, references: int = 0
    ) -> bool:
        """Write what the clock or the references alone changed (no evidence); False: nothing."""
        return self._write(
            lambda conn: intervals.turn(
                conn, device, verdict, subjects, self._memory, at=at, references=references
            )
        )

    # --- reading ----------------------------------------------------------------------------

    def evidence(self, ident: int) -> EvidenceRow | None:
        """One accepted report by its id."""
        return self._read(lambda conn: evidence.one(conn, ident))

    def evidences(
        self, device: str, *, limit: int = 50, before: int | None = None, since: int | None = None
    ) -> tuple[EvidenceRow, ...]:
        """Reports of a device, newest first; `before` is an id, `since` an instant."""
        return self._read(lambda conn: evidence.of(conn, device, limit, before, since))

    def latest_evidence(self, device: str, as_of: int | None = None) -> EvidenceRow | None:
        """The newest report of a device, or the newest up to an instant."""
        return self._read(lambda conn: evidence.latest(conn, device, as_of))

    def tokens(self, device: str, epoch: int) -> Iterator[tuple[Token, int]]:
        """All reports of a device under one key, oldest first, with their instants."""
        return iter(self._read(lambda conn: evidence.tokens(conn, device, epoch)))

    def set_raw(self, digest: bytes) -> SetRow | None:
        """A claims-set as its bytes came."""
        return self._read(lambda conn: evidence.claims_set(conn, digest))

    def sets_of(self, device: str) -> tuple[SetRow, ...]:
        """The distinct claims-sets that a device ever reported, oldest first."""
        return self._read(lambda conn: evidence.sets_of(conn, device))

    def add_set(self, claims_set: ClaimsSet, raw: bytes, *, at: int) -> None:
        """Keep a claims-set that came in an authenticated message; the same again is no change."""
        self._write(lambda conn: evidence.add_set(conn, claims_set.digest, raw, at))

    def intervals(
        self, subject: str, *, kind: str = "unit", as_of: int | None = None
    ) -> tuple[IntervalRow, ...]:
        """The answers that hold for a subject now, or held at an instant; by duty."""
        return self._read(lambda conn: timeline.current(conn, kind, subject, as_of))

    def all_intervals(self, *, as_of: int | None = None) -> tuple[IntervalRow, ...]:
        """The answers that hold for every subject, now or at an instant."""
        return self._read(lambda conn: timeline.current(conn, None, None, as_of))

    def history(
        self, subject: str, *, kind: str = "unit", duty: str | None = None
    ) -> tuple[IntervalRow, ...]:
        """Every interval of a subject, newest first."""
        return self._read(lambda conn: timeline.history(conn, kind, subject, duty))

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

    def rejections(self, device: str | None = None, *, limit: int = 50) -> tuple[RejectionRow, ...]:
        """Refused messages, newest first; of one signer, or all."""
        return self._read(lambda conn: evidence.rejections(conn, device, limit))

    def audit(self, *, after: int = 0, limit: int = 1000) -> tuple[AuditRow, ...]:
        """The audit chain from an id on."""
        return self._read(lambda conn: audit.rows(conn, after, limit))

    def note(self, actor: str, action: str, subject: str, detail: str = "", *, at: int) -> None:
        """Append one audit event of the caller's own."""
        self._write(lambda conn: audit.append(conn, at, actor, action, subject, detail))

    def audit_breaks(self) -> tuple[int, ...]:
        """The ids of audit rows that do not follow from the row before; empty when all is well."""
        return self._read(audit.breaks)

    # --- plumbing ---------------------------------------------------------------------------

    def _read(self, ask: Callable[[Connection], T]) -> T:
        return self._engines.ask(ask)

    def _write(self, change: Callable[[Connection], T]) -> T:
        self._changes += 1
        try:
            return self._writer.submit(partial(self._apart, change)).result()
        finally:
            self._changes += 1

    def _apart(self, change: Callable[[Connection], T], conn: Connection) -> T:
        """A change that is no report leaves leaves of its own on the audit chain."""
        self._memory.leaf = None
        return change(conn)
