"""What a judged message changes: the values that ingest hands to the store."""

from __future__ import annotations

from typing import NamedTuple

from ..core.claims import Token
from ..core.freshness import Freshness, Handle
from ..core.verdict import Verdict


class Subjects(NamedTuple):
    """Whose answer each duty is: the ids beside the unit itself (HOUSE: subject of a duty)."""

    release: str
    model: str
    maker: str = "maker"


class Count(NamedTuple):
    """What the verifier itself had counted of a unit, this report included.

    It is all that a rule may ask of the unit's past, unless `plain` says that there is more.
    """

    given: int | None
    skew: int | None
    forks: int | None
    regressions: int | None
    reports: int | None  # within the hour
    boots: int | None  # within the day
    plain: bool
    after: int  # how many reports had been counted before
    foreign: int  # how often another process was found to have written by then


class Accepted(NamedTuple):
    """Verified evidence with its verdict."""

    session: str | None  # None: it answers a handle
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
    handle: Handle | None = None  # everybody's challenge, which it answers
    freshness: Freshness = Freshness.CHALLENGE
    given: int | None = None  # not before; None: just before it was received
    counted: Count | None = None


class Refused(NamedTuple):
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


class Recorded(NamedTuple):
    """The row that an outcome became: evidence or rejection."""

    id: int
    changed: tuple[str, ...] = ()  # duties whose answer changed
    late: bool = False  # kept as history, because something newer is on record


class Spent(NamedTuple):
    """The challenge was gone before; by which bytes, and what they were told. None: never ours."""

    spent_by: bytes | None
    answer: str | None
