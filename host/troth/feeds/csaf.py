"""CSAF 2.0 and 2.1 documents: what makers say of flaws in their products (advisories and VEX).

Read are the tracking data, the product tree and the status of each product. A product is known by
its package URL, by a product name, or by the host of a relationship; its version by the branch it
stands in. A version that cannot be compared settles nothing, and makes a flaw count for them all.
Whose word it is, is not proven here: bring documents that you fetched from the maker.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ..core.flaws import SETTLED, Word
from ..core.versions import bounds
from ..trouble import Trouble
from .reading import Node, package_of

_STATUS = {
    "known_affected": "affected",
    "first_affected": "affected",
    "last_affected": "affected",
    "known_not_affected": "not_affected",
    "fixed": "fixed",
    "first_fixed": "fixed",
    "recommended": "",  # says nothing of a flaw
    "under_investigation": "under_investigation",
    "unknown": "under_investigation",
}
_MOST_DEPTH = 32


class Product(NamedTuple):
    names: tuple[str, ...]  # models or packages that it goes by
    versions: str | None  # a range; "" for all; None: nothing that can be compared


class Statements(NamedTuple):
    words: tuple[Word, ...]
    released: int


def read(document: Node) -> Statements:
    """Raises Trouble `feed.foreign` or `feed.field`."""
    head = document.map().get("document")
    if not isinstance(head, dict) or "csaf_version" not in head:
        raise Trouble(
            "feed.foreign",
            f"{document.file.name} is no CSAF document",
            why="it has no document/csaf_version",
            fix="give CSAF documents here; OSV records: troth feed add osv",
        )
    tracking = document.need("document").need("tracking")
    ident, status = tracking.need("id").text(), tracking.need("status").text()
    released = tracking.need("current_release_date").instant()
    if status not in ("final", "interim"):
        tracking.need("status").fail("it is a draft: want final or interim")
    products = _products(document)
    words = [
        word
        for flaw in document.each("vulnerabilities")
        for word in _words(flaw, products, released, ident)
    ]
    return Statements(tuple(words), released)


def _words(flaw: Node, products: dict[str, Product], at: int, document: str) -> list[Word]:
    names = [flaw.said("cve")] + [each.need("text").text() for each in flaw.each("ids")]
    names = [name for name in names if name]
    said = flaw.get("product_status")
    if not names or said is None:
        return []
    words = []
    for key in said.map():
        if key not in _STATUS:
            said.fail(f"there is no status {key[:40]!r}")
        for ident in said.each(key) if _STATUS[key] else ():
            product = products.get(ident.text())
            if product is None:
                ident.fail("the product tree does not have it")
            if product.versions is None and _STATUS[key] in SETTLED:
                continue
            words += [
                Word(name, _STATUS[key], product_name, product.versions or "", at, document)
                for name in names
                for product_name in product.names
            ]
    return words


def _products(document: Node) -> dict[str, Product]:
    tree = document.get("product_tree")
    found: dict[str, Product] = {}
    if tree is None:
        return found
    _walk(tree, (), "", found, 0)
    for each in tree.each("full_product_names"):
        _add(each, (), "", found)
    for each in tree.each("relationships"):
        host = found.get(each.need("relates_to_product_reference").text())
        part = found.get(each.need("product_reference").text())
        if host is None or part is None:
            each.fail("it relates products that the tree does not have")
        ident = each.need("full_product_name").need("product_id").text()
        found[ident] = host  # a flaw of a part in this host is said of the host alone
    return found


def _walk(
    node: Node, names: tuple[str, ...], spread: str, found: dict[str, Product], depth: int
) -> None:
    if depth > _MOST_DEPTH:
        node.fail("branches are nested too deep")
    for branch in node.each("branches"):
        category, name = branch.need("category").text(), branch.need("name").text()
        ours, versions = names, spread
        if category in ("product_name", "product_family"):
            ours = (*names, name)
        elif category == "product_version":
            versions = f"={name}"
        elif category == "product_version_range":
            versions = _range(name)
        product = branch.get("product")
        if product is not None:
            _add(product, ours, versions, found)
        _walk(branch, ours, versions, found, depth + 1)


def _add(node: Node, names: tuple[str, ...], spread: str, found: dict[str, Product]) -> None:
    ident = node.need("product_id").text()
    helper = node.get("product_identification_helper")
    if ident in found:
        node.fail(f"{ident[:80]!r} stands twice in the product tree")
    known = list(names)
    versions = spread
    if helper is not None:
        known += [each.text() for each in helper.each("model_numbers")]
        purls = [helper.said("purl")] + [each.text() for each in helper.each("purls")]
        for purl in filter(None, purls):
            try:
                name, version = package_of(purl)
            except ValueError as err:
                helper.fail(str(err))
            known.append(name)
            versions = versions or (f"={version}" if version else "")
    called = tuple(known or [node.need("name").text()])
    found[ident] = Product(called, versions if _is_range(versions) else None)


def _range(text: str) -> str:
    """`vers:semver/>=1.0|<2.0`, or bounds alone; a list of single versions is no range of ours."""
    said = re.sub(r"^vers:[a-z0-9.+-]+/", "", text).replace("|", " ").strip()
    if said == "*":
        return ""
    said = re.sub(r"([<>=])\s+", r"\1", said)
    return " ".join(part if part[:1] in "<>=" else f"={part}" for part in said.split())


def _is_range(text: str) -> bool:
    if not text:
        return True
    try:
        parts = bounds(text)
    except ValueError:
        return False
    return len(parts) == 1 or all(how != "=" for how, _ in parts)
