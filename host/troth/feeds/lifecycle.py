"""Until when components are cared for: the dump of products that endoflife.date publishes (API v1).

A component is looked up by its package URL, its version by the release cycle that it belongs to.
What the list does not know is not said to have ended.
"""

from __future__ import annotations

from typing import NamedTuple

from ..trouble import Trouble
from .reading import Node, package_of


class Cycle(NamedTuple):
    """One line of versions of one package, and when its care ends."""

    package: str
    name: str  # `1.2` stands for all of 1.2.x
    ended: bool
    ends: int | None


class Lifecycles(NamedTuple):
    cycles: tuple[Cycle, ...]
    generated: int  # 0: it does not say


def read(document: Node) -> Lifecycles:
    """Raises Trouble `feed.foreign` or `feed.field`."""
    said = document.map()
    if not {"schema_version", "result"} <= said.keys():
        raise Trouble(
            "feed.foreign",
            f"{document.file.name} is no list of lifecycles",
            why="it has no schema_version and result",
            fix="give the answer of endoflife.date/api/v1/products/full",
        )
    products = [document.need("result")]
    if type(said["result"]) is list:
        products = list(document.each("result"))
    cycles = [cycle for product in products for cycle in _cycles(product)]
    if not cycles:
        document.need("result").fail("no product in it has a package URL and releases")
    generated = document.get("generated_at") or document.get("last_modified")
    return Lifecycles(tuple(cycles), generated.instant() if generated else 0)


def _cycles(product: Node) -> list[Cycle]:
    packages = []
    for each in product.each("identifiers"):
        ident = each.need("id").text()
        if ident.startswith("pkg:"):
            try:
                packages.append(package_of(ident)[0])
            except ValueError as err:
                each.fail(str(err))
    found = []
    for each in product.each("releases"):
        ended, ends = each.get("isEol"), each.get("eolFrom")
        if ended is not None and type(ended.value) is not bool:
            ended.fail("want true or false")
        name, end = each.need("name").text(), ends.instant() if ends else None
        has_ended = ended is not None and bool(ended.value)
        found += [Cycle(package, name, has_ended, end) for package in packages]
    return found
