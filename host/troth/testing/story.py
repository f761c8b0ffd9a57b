"""A story for the stage: products that a maker released, and the boards that play in it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class StoryRelease:
    """One release, dated back from the moment at which the story is played."""

    version: str
    days_ago: int = 0
    withdrawn_days_ago: int | None = None
    statement: str = "statement.toml"
    app: Path | None = None  # an image of one's own; None: the emulator builds one


@dataclass(frozen=True, slots=True)
class Product:
    """A model with its files; without class, market and date it is for one's own use."""

    model: str
    folder: Path  # where its statements are
    files: Path  # what goes onto the board
    profile: str
    chips: tuple[str, ...]
    releases: tuple[StoryRelease, ...]  # the last one runs
    product_class: str | None = None
    market: str | None = None
    placed: date | None = None
    later: StoryRelease | None = None  # the record that the fault `later_fault` adds
    later_fault: str | None = None


@dataclass(frozen=True, slots=True)
class Cast:
    """One board of the story."""

    name: str
    model: str
    chip: str
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Story:
    products: tuple[Product, ...]
    boards: tuple[Cast, ...]

    def product(self, model: str) -> Product:
        return next(product for product in self.products if product.model == model)


def read_story(path: Path) -> Story:
    """Read a story file; a key that it does not know is a TypeError, for stories are our own."""
    said = tomllib.loads(path.read_text(encoding="utf-8"))
    return Story(
        tuple(_product(row, path.parent) for row in said["product"]),
        tuple(Cast(**row) for row in said["board"]),
    )


def _product(row: dict[str, Any], root: Path) -> Product:
    row = dict(row)
    later = dict(row.pop("later", {}))
    folder = root / row.pop("folder")
    return Product(
        folder=folder,
        files=folder / "files",
        chips=tuple(row.pop("chips")),
        releases=tuple(StoryRelease(**release) for release in row.pop("releases")),
        product_class=row.pop("class", None),
        later_fault=later.pop("fault", None),
        later=StoryRelease(**later) if later else None,
        **row,
    )
