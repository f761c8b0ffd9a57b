"""Tables for people: drawn on a terminal, plain columns in a pipe, and harmless in both."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from ..fleet.words import plain

# a cell that begins with one of these glyphs is coloured by it; the word beside it says the same
_STYLES = {"●": "green", "✘": "red", "◌": "magenta", "?": "yellow", "◐": "cyan", "≠": "red"}
_WIDEST = 96


def print_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """One row a line; text is bounded and control characters are shown, not obeyed."""
    cells = [[plain("" if cell is None else cell, _WIDEST) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _draw(head, cells)
    else:
        _columns(head, cells)


def _columns(head: Sequence[str], cells: list[list[str]]) -> None:
    widths = [max(len(row[at]) for row in [list(head), *cells]) for at in range(len(head))]
    for row in [list(head), *cells]:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )


def _draw(head: Sequence[str], cells: list[list[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in head:
        table.add_column(name, overflow="fold")
    for row in cells:
        table.add_row(*(Text(cell, _STYLES.get(cell[:1], "")) for cell in row))
    Console().print(table)
