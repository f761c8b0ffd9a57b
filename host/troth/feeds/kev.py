"""A catalogue of flaws that are known to be exploited (the JSON that CISA publishes)."""

from __future__ import annotations

from typing import NamedTuple

from ..trouble import Trouble
from .reading import Node


class Catalogue(NamedTuple):
    exploited: tuple[str, ...]
    released: int


def read(document: Node) -> Catalogue:
    """Raises Trouble `feed.foreign` or `feed.field`."""
    if not {"dateReleased", "vulnerabilities"} <= document.map().keys():
        raise Trouble(
            "feed.foreign",
            f"{document.file.name} is no catalogue of exploited flaws",
            why="it has no dateReleased and vulnerabilities",
            fix="give known_exploited_vulnerabilities.json",
        )
    found = tuple(each.need("cveID").text() for each in document.each("vulnerabilities"))
    if not found:
        document.need("vulnerabilities").fail("the catalogue is empty: it is not the whole one")
    return Catalogue(found, document.need("dateReleased").instant())
