"""The Store: every change of what Troth remembers, on one screen; what it can be asked is Reading.

Every write goes through one writer thread, which gathers
what waits into one durable commit. Nothing here judges.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

from sqlalchemy.engine import Connection

from ..core.device import Provisioning
from ..core.freshness import Challenge, Handle
from ..core.reference import Release, Statement
from ..core.verdict import Verdict
from ..core.waiver import Waiver
from . import (
    audit,
    epochs,
    evidence,
    extract,
    feeds,
    flocks,
    following,
    intervals,
    judged,
    kinds,
    references,
    registry,
    waivers,
)
from .changes import Accepted, Recorded, Refused, Spent, Subjects
from .engine import Engines, StoreUnavailable, open_engines
from .memory import Memory
from .reading import Reading
from .rows import DeviceRow, FeedRow, IncidentRow, KeyRow, Rules, StepRow, WaiverEnd
from .writer import Writer

T = TypeVar("T")


class Store(Reading):
    """One database. `Store.open(url, create=True)`; close it, or use it in a `with`."""

    def __init__(self, engines: Engines) -> None:
        super().__init__(engines)
        self._memory = Memory()
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

    @property
    def changes(self) -> int:
        """Goes up with every change that this very Store made to the registry or references."""
        return self._changes

    @property
    def foreign_writes(self) -> int:
        """Goes up when another connection may have written."""
        return self._memory.foreign

    @property
    def looked(self) -> float:
        """When that was last looked for, as every change does; by the monotonic clock."""
        return self._memory.looked

    def can_write(self) -> bool:
        """Try it: one durable change that changes nothing, with room left for more."""
        try:
            self._write(registry.touch)
            return self._engines.has_room()
        except (StoreUnavailable, OSError):
            return False

    # --- the registry ---------------------------------------------------------------------

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
        self, device: str, *, at: int, actor: str = "operator", why: str = "", **changes: object
    ) -> DeviceRow:
        """Set registry fields (lifecycle, name, market, site ...) by device id; audited."""
        return self._write(
            lambda conn: registry.change(conn, device, changes, at=at, actor=actor, why=why)
        )

    def add_key(self, key: KeyRow, *, at: int, actor: str = "operator") -> KeyRow:
        """Bind a new key in a new epoch and revoke the old ones. Trouble `key.duplicate`."""
        return self._write(lambda conn: registry.add_key(conn, key, at=at, actor=actor))

    def rotate_key(
        self, key: KeyRow, old: bytes, session: str, message: bytes, *, at: int, actor: str
    ) -> KeyRow:
        """Put a key in the old one's place and spend its challenge, in one transaction.

        Trouble `key.fork` (the old one is not in force), `nonce.spent` or `key.duplicate`.
        """
        return self._write(
            lambda conn: registry.rotate_key(conn, key, old, session, message, at=at, actor=actor)
        )

    def ask_rotation(
        self, device: str, epoch: int | None, *, at: int, actor: str = "operator"
    ) -> None:
        """Want the key of this epoch replaced, which its board then learns; None: no longer any."""
        self._write(lambda conn: registry.ask_rotation(conn, device, epoch, at=at, actor=actor))

    def revoke_key(self, kid: bytes, *, at: int, actor: str = "operator", why: str = "") -> None:
        """From now on this key speaks for nobody."""
        self._write(lambda conn: registry.revoke_key(conn, kid, at=at, actor=actor, why=why))

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

    def add_statement(
        self, model: str, statement: Statement, record: bytes, *, at: int, actor: str = "maker"
    ) -> None:
        """A new statement of the maker for a model; earlier ones are kept."""
        self._write(
            lambda conn: references.add_statement(
                conn, model, statement, record, at=at, actor=actor
            )
        )

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

    # --- waivers ------------------------------------------------------------------------------

    def add_waiver(self, waiver: Waiver, record: bytes) -> None:
        """Keep a verified signed waiver; audited under who approved it."""
        self._write(lambda conn: waivers.add(conn, waiver, record))

    def revoke_waiver(self, ident: str, end: WaiverEnd) -> None:
        """Keep a verified signed revocation. Trouble `waiver.ended`."""
        self._write(lambda conn: waivers.revoke(conn, ident, end))

    def end_expired_waivers(self, now: int) -> tuple[Waiver, ...]:
        """Note those whose day has come, an audit event each, once."""
        return self._write(lambda conn: waivers.end_expired(conn, now))

    # --- feeds and incidents ------------------------------------------------------------------

    def add_feed(self, row: FeedRow, document: bytes) -> None:
        """Keep what a feed brought; earlier ones are kept too."""
        self._write(lambda conn: feeds.add(conn, row, document))

    def open_incident(self, row: IncidentRow) -> None:
        """Write an incident down. Trouble `incident.duplicate`."""
        self._write(lambda conn: feeds.open_incident(conn, row))

    def take_step(self, row: StepRow) -> None:
        """Write down a report, a fix or the end of an incident. Trouble `incident.step`."""
        self._write(lambda conn: feeds.take_step(conn, row))

    # --- challenges and messages ------------------------------------------------------------

    def issue(self, challenge: Challenge, *, wait: bool = True) -> None:
        """Remember a challenge. With `wait=False` it is durable before anything that spends it."""
        if wait:
            self._writer.submit_many(evidence.issue, (challenge,)).result()
        else:
            self._writer.drop_in(evidence.issue, challenge)

    def drop_challenge(self, session: str) -> bool:
        """Forget a challenge; False when there is none. What it brought stays."""
        return self._write(lambda conn: evidence.drop_challenge(conn, session))

    def publish(self, made: Handle, *, period_s: int) -> Handle:
        """The epoch handle of now: this one, or the one that another process just published."""
        return self._writer.submit(
            lambda conn: epochs.publish(conn, made, period_s=period_s)
        ).result()

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
        self,
        device: str,
        verdict: Verdict,
        subjects: Subjects,
        *,
        at: int,
        references: int = 0,
        noticed: int | None = None,
    ) -> intervals.Turned:
        """Write what the clock or the references alone changed (no evidence).

        Noticed later than it turned, it overrules no answer that is younger.
        """
        return self._write(
            lambda conn: intervals.turn(
                conn,
                device,
                verdict,
                subjects,
                self._memory,
                at=at,
                references=references,
                noticed=at if noticed is None else noticed,
            )
        )

    def turn_all(
        self, turns: Sequence[tuple[str, Verdict, Subjects]], *, at: int, references: int = 0
    ) -> list[intervals.Turned]:
        """As `turn`, for many at one instant under one commit."""

        def write(conn: Connection) -> list[intervals.Turned]:
            return [
                intervals.turn(conn, *turn, self._memory, at=at, references=references, noticed=at)
                for turn in turns
            ]

        return self._write(write)

    def forget_kinds(self, stale: Sequence[bytes]) -> None:
        """Units of these kinds are of others by now."""
        self._write(lambda conn: kinds.forget_all(conn, stale))

    def learn_kinds(self, window: flocks.Window, *, most: int = 10_000) -> bool:
        """Work out of what kind some are of whom it is not known; False: those were all."""
        return self._write(lambda conn: kinds.learn(conn, window, most))

    def follow(
        self,
        window: flocks.Window,
        courses: Mapping[flocks.Key, following.Course],
        *,
        seen: int,
        references: int,
    ) -> following.Followed | None:
        """Tell flocks what one of each was told; None: the records are others by now."""
        return self._write(
            lambda conn: following.follow(
                conn, window, courses, self._memory, seen=seen, references=references
            )
        )

    def put_in(self, rows: extract.Rows) -> None:
        """Fill an empty store with what was taken out of another."""
        self._write(lambda conn: extract.put(conn, rows))

    def remember_judged(self, rules: Rules, generation: int, *, at: int) -> None:
        """Everybody was judged under these rules; nothing else may say so."""
        self._write(lambda conn: judged.remember(conn, rules, generation, at))

    def note(self, actor: str, action: str, subject: str, detail: str = "", *, at: int) -> None:
        """Append one audit event of the caller's own."""
        self._write(lambda conn: audit.append(conn, at, actor, action, subject, detail))

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
