"""Names that are the same whenever the report is: for formats that ask for UUIDs and tokens."""

from __future__ import annotations

import hashlib
import re
import uuid

from ..core.duties import Clause
from .report import Report

NS = "urn:troth"


def uid(report: Report, *path: str) -> str:
    """A UUID of this very report and one thing in it."""
    digests = (report.catalogue, report.regime_digest, report.references, report.engine)
    name = "/".join((*digests, report.regime.id, report.model, report.as_of, *path))
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{NS}:report:{name}"))


def provision(clause: Clause) -> str:
    """A provision as a token; `5.6-4A` and `5.6(4A)` stay two."""
    said = f"{clause.regime}_{clause.provision or 'baseline'}"
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", said)
    if plain == said:
        return plain
    return f"{plain}-{hashlib.sha256(said.encode()).hexdigest()[:6]}"
