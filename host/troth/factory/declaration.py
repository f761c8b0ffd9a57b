"""A declaration that stands alone: signed with the maker's key, for models, versions and a time.

The newest one for a model takes the place of what was stated before, by a release or by another
declaration; what it leaves out is not declared any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import (
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)

from ..core.reference import Statement
from ..store import Store
from ..trouble import Trouble
from .form import skeleton
from .keys import write_new
from .signed import open_record, record_id, sign_record
from .statement import from_map, to_map


@dataclass(frozen=True, slots=True)
class Declaration:
    """One whose signature holds."""

    id: str
    statement: Statement
    signed: int  # unix s

    @property
    def models(self) -> tuple[str, ...]:
        return self.statement.models or ()

    def status(self, now: int) -> str:
        said = self.statement
        if said.valid_from is not None and now < said.valid_from:
            return "to come"
        expired = said.valid_until is not None and now >= said.valid_until
        return "expired" if expired else "in force"


def begin(path: Path, model: str) -> None:
    """Write a file to fill. Trouble `declaration.exists`."""
    text = "\n".join(skeleton(model)) + "\n"
    if not write_new(path, text.encode(), 0o644):
        raise Trouble(
            "declaration.exists", f"{path} is there already", fix="name another file, or edit it"
        )


def sign(statement: Statement, key: EllipticCurvePrivateKey, *, at: int) -> bytes:
    """The signed record. Trouble `declaration.models`: it must say for what it holds."""
    if not statement.models:
        raise Trouble(
            "declaration.models",
            "the declaration does not say for which models it holds",
            fix='models = ["lamp-v1"]',
        )
    return sign_record({"at": at, "said": to_map(statement)}, "declaration", key)


def read(record: bytes, key: EllipticCurvePublicKey) -> Declaration:
    """Open a signed declaration. Trouble `declaration.unsigned`, `.signature` or `.content`."""
    opened = open_record(record, "declaration", key)
    said: Any = opened.get("said")
    statement = from_map(said) if isinstance(said, dict) else Statement()
    if type(opened.get("at")) is not int or not statement.models:
        raise Trouble(
            "declaration.content",
            "the record is signed, yet says neither when nor for what it holds",
            fix="ask who signed it for the record again",
        )
    return Declaration(record_id(record), statement, opened["at"])


def keep(store: Store, record: bytes, key: EllipticCurvePublicKey, *, at: int) -> Declaration:
    """Store a declaration whose signature holds, once for each of its models."""
    found = read(record, key)
    for model in found.models:
        rows = store.statements(model)
        if not rows or rows[-1].record != record:
            store.add_statement(model, found.statement, record, at=at)
    return found
