"""Many rows in one statement. The driver lets other threads run at every step it takes, so that a
statement per row would wait for the interpreter once per row; here it waits once per table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

from sqlalchemy import Table
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

ROWS = 128  # in one statement
STEP = 32  # more rows than these come in multiples of them, so that few statements are met again
STATEMENTS = 1024  # kept prepared: one for each number of rows, of each kind

Row = tuple[Any, ...]


def insert_rows(conn: Connection, table: Table, rows: Sequence[Row], tail: str = "") -> None:
    """Insert rows of all columns of a table, in their order; `tail` may end the statement."""
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    each(conn, f"INSERT INTO {table.name} ({names}) VALUES {{values}} {tail}", rows)  # noqa: S608  our own names


def each(conn: Connection, statement: str, rows: Sequence[Row]) -> None:
    """Run a statement with its `{values}` spelled out, for as many rows at once as are allowed."""
    for some in _parts(rows):
        _run(conn, _spelled(statement, len(some), len(some[0])), some)


def ask(conn: Connection, question: str, rows: Sequence[Row]) -> Iterable[Any]:
    """All answers to a question over `{values}`."""
    for some in _parts(rows):
        sql = _spelled(question, len(some), len(some[0]))
        yield from _run(conn, sql, some).fetchall()


def _parts(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    start = 0
    while left := min(len(rows) - start, ROWS):
        count = left if left < STEP else left - left % STEP
        yield rows[start : start + count]
        start += count


def _run(conn: Connection, sql: str, rows: Sequence[Row]) -> Any:
    """Straight to the driver: this is what every report pays for."""
    cursor = conn.connection.cursor()
    try:
        cursor.execute(sql, tuple(chain.from_iterable(rows)))
    except conn.dialect.loaded_dbapi.Error as err:
        raise DBAPIError(None, None, err) from err
    return cursor


@lru_cache(maxsize=STATEMENTS)
def _spelled(statement: str, rows: int, columns: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return statement.format(values=", ".join([row] * rows))
