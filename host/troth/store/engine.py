"""How we hold a database: the promises that are asserted before anything else (THREATS F3)."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from ..trouble import Trouble
from . import migrate
from .bulk import STATEMENTS

T = TypeVar("T")

BUSY_TIMEOUT_MS = 5000
CACHE_KIB = 32_768
ROOM = 2**20  # bytes free, below which the disk counts as full
WAL_PAGES = 8_000  # about 32 MB between two copies into the main file
_FULL = 2
_PROMISES = {"journal_mode": "wal", "synchronous": _FULL, "foreign_keys": 1}


class StoreUnavailable(Exception):
    """Our own fault (disk full, locked, gone): never a word about any device."""

    code = "store.unavailable"


@dataclass(frozen=True, slots=True)
class Engines:
    """One engine that reads and one, of a single connection, that writes."""

    url: str
    read: Engine
    write: Engine

    def ask(self, question: Callable[[Connection], T]) -> T:
        """Put one question on a reading connection."""
        try:
            with self.read.connect() as conn:
                return question(conn)
        except DBAPIError as err:
            raise unavailable(err) from err

    def has_room(self) -> bool:
        """On a full disk a small change may still fit where a report does not."""
        return shutil.disk_usage(_sqlite_path(self.url).parent).free >= ROOM

    def dispose(self) -> None:
        self.read.dispose()
        self.write.dispose()


def unavailable(err: DBAPIError) -> StoreUnavailable:
    """The database's own words, without our statement and its values."""
    return StoreUnavailable(str(err.orig))


def open_engines(url: str, *, create: bool) -> Engines:
    """Open, migrate when behind, and refuse a database that does not promise durability."""
    path = _sqlite_path(url)
    if not path.exists():
        if not create:
            raise Trouble("store.missing", f"no store at {path}", fix="troth init")
        path.parent.mkdir(parents=True, exist_ok=True)
    engines = Engines(url, _engine(url, writes=False), _engine(url, writes=True))
    try:
        with engines.write.connect() as conn:
            _assert_promises(conn)
        migrate.bring_up_to_date(engines.write)
    except DBAPIError as err:
        engines.dispose()
        raise Trouble(
            "store.unreadable",
            f"cannot open the store at {path}",
            why=str(err.orig),
            fix="make room if the disk is full; else put a good copy back, or name it with --db",
        ) from err
    except Trouble:
        engines.dispose()
        raise
    return engines


def _sqlite_path(url: str) -> Path:
    try:
        parsed = make_url(url)
    except ArgumentError as err:
        raise Trouble("store.url", f"{url!r} is no database URL", fix=_EXAMPLE) from err
    if parsed.get_backend_name() != "sqlite":
        raise Trouble("store.url", f"no driver for {parsed.drivername} yet", fix=_EXAMPLE)
    if not parsed.database or parsed.database == ":memory:":
        raise Trouble(
            "store.unsafe", "a store in memory forgets what it acknowledged", fix=_EXAMPLE
        )
    return Path(parsed.database)


_EXAMPLE = "--db sqlite:///troth.db"


def _engine(url: str, *, writes: bool) -> Engine:
    engine = create_engine(
        url,
        pool_size=1 if writes else 8,
        max_overflow=0 if writes else 32,
        connect_args={
            "timeout": BUSY_TIMEOUT_MS / 1000,
            "check_same_thread": False,
            "cached_statements": STATEMENTS,
        },
    )

    @event.listens_for(engine, "connect")
    def _prepare(raw: sqlite3.Connection, _: Any) -> None:
        raw.isolation_level = None  # we say BEGIN ourselves
        cursor = raw.cursor()
        if writes:
            cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA temp_store=MEMORY")  # what undoes a statement is no file
        cursor.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        cursor.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
        if not writes:
            cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(conn: Connection) -> None:
        # a writer takes the lock at once: what it reads before it writes still holds
        conn.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _assert_promises(conn: Connection) -> None:
    for name, wanted in _PROMISES.items():
        got = conn.exec_driver_sql(f"PRAGMA {name}").scalar()
        if got != wanted:
            raise Trouble(
                "store.unsafe",
                f"the database does not promise {name}={wanted}",
                why=f"it says {got!r}: acknowledged reports could be lost",
                fix="put the store on a local disk",
            )
