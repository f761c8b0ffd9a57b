"""What a judged message changes: the values that ingest hands to the store."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..core.claims import Token
from ..core.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Subjects:
    """Whose answer each duty is: the ids beside the unit itself (HOUSE: subject of a duty)."""

    release: str
    model: str
    maker: str = "maker"


@dataclass(frozen=True, slots=True)
class Accepted:
    """Verified evidence with its verdict."""

    session: str
    spent_by: bytes  # SHA-256 of the message
    answer: str  # the signed result that it gets
    received: int
    raw: bytes
    key_id: bytes
    epoch: int
    token: Token
    claims_set: bytes | None  # its bytes, when they came along
    verdict: Verdict
    subjects: Subjects
    references: int = 0  # the store's generation that the verdict was made under


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that says nothing about any device; it spends the challenge when it names one."""

    at: int
    code: str
    text: str
    path: str
    offset: int | None
    raw: bytes
    session: str | None = None
    spent_by: bytes = b""
    answer: str = ""
    device: str | None = None
    key_id: bytes | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """The row that an outcome became: evidence or rejection."""

    id: int
    changed: tuple[str, ...] = field(default=())  # duties whose answer changed


@dataclass(frozen=True, slots=True)
class Spent:
    """The challenge was gone before; by which bytes, and what they were told. None: never ours."""

    spent_by: bytes | None
    answer: str | None
