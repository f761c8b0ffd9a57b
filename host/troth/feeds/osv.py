"""Records of the OSV schema: which versions of which package have a flaw (ossf.github.io).

Only the fields that decide are read. Ranges over commits cannot be compared with a version: a
package that has nothing else counts as affected, until its maker's word settles it.
"""

from __future__ import annotations

from typing import NamedTuple

from ..core.cvss import base_score
from ..core.flaws import Affected, Flaw, Span
from ..trouble import Trouble
from .reading import Node, package, package_of

_WORDS = {"LOW": 3.9, "MODERATE": 6.9, "MEDIUM": 6.9, "HIGH": 8.9, "CRITICAL": 10.0}


class Record(NamedTuple):
    flaw: Flaw | None  # None: it was withdrawn
    modified: int


def read(document: Node) -> Record:
    """One record. Raises Trouble `feed.foreign` or `feed.field`."""
    said = document.map()
    if "id" not in said or "modified" not in said or not ({"affected", "withdrawn"} & said.keys()):
        raise Trouble(
            "feed.foreign",
            f"{document.file.name} is no OSV record",
            why="it has no id, modified and affected",
            fix="give OSV records here; CSAF and VEX documents: troth feed add vex",
        )
    modified = document.need("modified").instant()
    if document.get("withdrawn") is not None:
        return Record(None, modified)
    return Record(
        Flaw(
            id=document.need("id").text(),
            aliases=tuple(each.text() for each in document.each("aliases")),
            score=_score(document),
            affected=tuple(
                found for each in document.each("affected") if (found := _affected(each))
            ),
        ),
        modified,
    )


def _affected(node: Node) -> Affected | None:
    said = node.get("package")
    if said is None:
        return None  # a repository's commits alone
    purl = said.said("purl")
    try:
        name = package_of(purl)[0] if purl else ""
    except ValueError as err:
        said.fail(str(err))
    spans = [span for each in node.each("ranges") for span in _spans(each)]
    return Affected(
        name or package(said.need("ecosystem").text(), said.need("name").text()),
        tuple(spans),
        tuple(each.text() for each in node.each("versions")),
    )


def _spans(node: Node) -> list[Span]:
    """Events in order: each `introduced` opens a span, `fixed` or `last_affected` closes it."""
    if node.need("type").text() == "GIT":
        return []
    spans: list[Span] = []
    for event in node.each("events"):
        said = event.map()
        if "introduced" in said:
            spans.append(Span(event.need("introduced").text()))
        elif "fixed" in said or "last_affected" in said:
            if not spans:
                event.fail("nothing was introduced before it")
            spans[-1] = spans[-1]._replace(
                fixed=event.said("fixed"), last=event.said("last_affected")
            )
        elif "limit" not in said:
            event.fail("want introduced, fixed, last_affected or limit")
    return spans


def _score(document: Node) -> float | None:
    """The graver one, where versions 3 and 4 of CVSS disagree."""
    vectors = [
        base_score(each.said("score"))
        for each in document.each("severity")
        if each.said("type") in ("CVSS_V3", "CVSS_V4")
    ]
    scores = [score for score in vectors if score is not None]
    if scores:
        return max(scores)
    own = document.get("database_specific")
    word = own.map().get("severity") if own is not None and type(own.value) is dict else None
    return _WORDS.get(word) if isinstance(word, str) else None
