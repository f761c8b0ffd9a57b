"""A component list in CycloneDX JSON, read with its library and compared with its release.

It must name the app image by its digest, and every file that the board executes: from their paths
and digests the release's own code digest is computed again, so that nothing can be left out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from warnings import catch_warnings

from ..core.flaws import Component
from ..core.reference import Release
from ..factory.manifest import board_tree, code_digest, executable, manifest_of
from ..trouble import Trouble
from .reading import Node, package_of

if TYPE_CHECKING:
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component as Part

_MOST_PARTS = 20_000
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST_DEPTH = 32


@dataclass(frozen=True, slots=True)
class Sbom:
    made: int  # unix s
    subject: str  # SHA-256 of the app image that it is about, or nothing
    components: tuple[Component, ...]
    files: Mapping[str, str]  # path on the board -> SHA-256
    digests: frozenset[str]


def read(document: Node) -> Sbom:
    """Raises Trouble `feed.foreign` or `feed.field`."""
    said = document.map()
    if said.get("bomFormat") != "CycloneDX":
        raise Trouble(
            "feed.foreign",
            f"{document.file.name} is no component list",
            why="bomFormat is not CycloneDX",
            fix="give a CycloneDX list in JSON, such as troth release sbom writes",
        )
    made = document.need("metadata").need("timestamp").instant()
    bom = _parsed(document)
    head = bom.metadata.component if bom.metadata else None
    if head is None:
        document.need("metadata").fail("component is missing: the product that it is about")
    parts = list(_parts((head, *bom.components), document, 0))
    return Sbom(
        made=made,
        subject=_digest(head),
        components=tuple(
            dict.fromkeys(c for part in parts[1:] if (c := _component(part, document)))
        ),
        files={part.name: _digest(part) for part in parts if part.name.startswith("/")},
        digests=frozenset(filter(None, map(_digest, parts))),
    )


def missing(found: Sbom, release: Release, files: Mapping[str, bytes] | None) -> tuple[str, ...]:
    """What of the release it leaves out; the very names where the product's files are given."""
    gone = [] if release.app_digest in found.digests else ["app image"]
    ours = {path: digest for path, digest in found.files.items() if path.endswith((".py", ".mpy"))}
    listed = manifest_of({path: bytes.fromhex(each) for path, each in ours.items()})
    if listed == release.code_digest:
        return tuple(gone)
    if files is None:
        return (*gone, "code files")
    # with the agent frozen into the image, or installed beside the product's own files
    trees = (board_tree(files, frozen=frozen) for frozen in (True, False))
    tree = next((each for each in trees if code_digest(each) == release.code_digest), None)
    if tree is None:
        return (*gone, "code files (those given are not the release's own)")
    built = {path: hashlib.sha256(raw).hexdigest() for path, raw in executable(tree).items()}
    changed = [path for path, digest in sorted(built.items()) if ours.get(path) != digest]
    extra = [f"{path} (not in the release)" for path in sorted(ours.keys() - built.keys())]
    return (*gone, *changed, *extra)


def _parsed(document: Node) -> Bom:
    from cyclonedx.model.bom import Bom

    try:
        with catch_warnings(action="ignore"):
            bom = Bom.from_json(document.value)  # type: ignore[attr-defined]
    except Exception as err:  # the library raises what its own parts raise
        document.fail(f"the CycloneDX library refuses it: {str(err)[:200]}")
    if not isinstance(bom, Bom):
        document.fail("the CycloneDX library reads no list in it")
    return bom


def _parts(parts: Iterable[Part], document: Node, depth: int) -> Iterator[Part]:
    if depth > _MOST_DEPTH:
        document.fail("components are nested too deep")
    for count, part in enumerate(parts):
        if count > _MOST_PARTS:
            document.fail(f"more than {_MOST_PARTS} components")
        # the library lets through what the schema does not
        if type(part.name) is not str or type(part.version or "") is not str:
            document.fail("a component has no name, or a version that is no text")
        yield part
        yield from _parts(part.components, document, depth + 1)


def _component(part: Part, document: Node) -> Component | None:
    """A file is no component that a vulnerability feed could know."""
    if part.name.startswith("/"):
        return None
    if part.purl is None:
        return Component(part.name, part.version or "")
    try:
        name, version = package_of(part.purl.to_string())
    except ValueError as err:
        document.fail(f"{part.name[:80]}: {err}")
    return Component(name, version or part.version or "")


def _digest(part: Part) -> str:
    found = [str(each.content).lower() for each in part.hashes if each.alg.value == "SHA-256"]
    return found[0] if found and _SHA256.fullmatch(found[0]) else ""
