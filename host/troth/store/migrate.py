"""Bringing a database up to date: Alembic from day one, and not even imported when it is."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import OperationalError

from ..trouble import Trouble

HEAD = "0014"  # the newest revision; a test compares it with the scripts
SCRIPTS = Path(__file__).parent / "migrations"


def bring_up_to_date(engine: Engine) -> None:
    """Run the missing migrations in one transaction. Trouble `store.newer` when we are behind."""
    with engine.connect() as conn:
        if revision(conn) == HEAD:
            return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    with engine.connect() as conn:
        config.attributes["connection"] = conn
        try:
            command.upgrade(config, "head")
        except CommandError as err:
            raise Trouble(
                "store.newer",
                "this store was written by a newer Troth",
                why=str(err),
                fix="upgrade troth",
            ) from err


def revision(conn: Connection) -> str | None:
    """The revision that the database says it is at; None: none, it is empty."""
    try:
        found = conn.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    except OperationalError as err:
        if "no such table" in str(err.orig):
            return None
        raise
    return str(found) if found is not None else None
