"""A component list for a build: the image, every code file, and what the image says it is made of.

A beginning, not the whole: libraries inside the image that do not tell their names are added by
who built it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from ..core.reference import Release
from ..factory.manifest import executable

_MICROPYTHON = re.compile(rb"MicroPython v(\d+\.\d+(?:\.\d+)?(?:-preview)?)")
_IDF = re.compile(rb"v\d+\.\d+(?:\.\d+)?")
_IDF_AT = 0x90  # esp_app_desc_t.idf_ver


def list_parts(image: bytes, tree: Mapping[str, bytes], release: Release, *, made: int) -> str:
    """CycloneDX 1.6 in JSON, the same bytes for the same build and instant."""
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6
    from packageurl import PackageURL

    def digest(text: str) -> list[HashType]:
        return [HashType(alg=HashAlgorithm.SHA_256, content=text)]

    head = Component(
        name=release.model,
        version=release.version,
        type=ComponentType.FIRMWARE,
        bom_ref=f"{release.model}@{release.version}",
        hashes=digest(release.app_digest),
    )
    parts = [
        Component(
            name=path,
            type=ComponentType.FILE,
            bom_ref=f"file:{path}",
            hashes=digest(hashlib.sha256(raw).hexdigest()),
        )
        for path, raw in executable(tree).items()
    ]
    for owner, name, version in _known(image):
        purl = PackageURL("github", owner, name, f"v{version}")
        library = ComponentType.LIBRARY
        parts.append(
            Component(name=name, version=version, type=library, purl=purl, bom_ref=str(purl))
        )
    bom = Bom(
        components=parts,
        metadata=BomMetaData(component=head, timestamp=datetime.fromtimestamp(made, UTC)),
        serial_number=uuid5(NAMESPACE_URL, f"{release.app_digest}{release.code_digest}"),
    )
    bom.register_dependency(head, parts)
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _known(image: bytes) -> list[tuple[str, str, str]]:
    """Owner, name and version of what the image names by itself."""
    found = []
    told = _MICROPYTHON.search(image)
    if told:
        version = told[1].decode()
        full = version if version.count(".") == 2 else f"{version}.0"
        found.append(("micropython", "micropython", full))
    idf = _IDF.match(image, _IDF_AT)
    if idf:
        found.append(("espressif", "esp-idf", idf[0].decode()[1:]))
    return found
