"""What a message is after each step of the pipeline, from posted bytes to an outcome's draft."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..core.claims import ClaimsSet
from ..core.duties import Facts
from ..core.errors import Rejected
from ..core.evidence import Evidence
from ..core.freshness import Challenge
from ..core.trust import Sealed, VerifiedEvidence
from ..core.verdict import Verdict
from ..core.verify import Report
from ..fleet.context import Signer
from ..store import Accepted, Recorded, Refused
from .outcomes import Outcome


class Message(NamedTuple):
    """What was posted to a session, and when; `media_type` is one of `ACCEPTS`."""

    session: str
    raw: bytes
    media_type: str
    at: int


class Sent(NamedTuple):
    """Evidence that came without a session; `ueid` is whose way it came, if the way says so."""

    raw: bytes
    at: int
    ueid: bytes | None = None
    result: bool = False  # does the sender want the EAR?


class Opened(NamedTuple):
    """A message of an open session, well-formed, and who is said to have signed it."""

    message: Message
    challenge: Challenge
    evidence: Evidence
    signer: Signer | None


class Presented(NamedTuple):
    """A message under an enrolled key, its signature not checked yet."""

    opened: Opened
    signer: Signer
    sealed: Sealed


class Brought(NamedTuple):
    """What came without a session, under an enrolled key, its signature not checked yet."""

    sent: Sent
    evidence: Evidence
    signer: Signer
    sealed: Sealed


class Signed(NamedTuple):
    """A message whose signature holds."""

    opened: Opened
    signer: Signer
    verified: VerifiedEvidence


class Heard(NamedTuple):
    """A report that is its signer's own word, with the set that it signed."""

    opened: Opened
    signer: Signer
    report: Report
    claims_set: ClaimsSet


class Weighed(NamedTuple):
    """A report with its verdict."""

    heard: Heard
    facts: Facts
    verdict: Verdict


class Worded(NamedTuple):
    """An outcome whose result is not signed yet."""

    said: bytes  # what the result's signature is to cover
    draft: Callable[[bytes], Draft]  # from that signature


class Draft(NamedTuple):
    """An outcome that is not on record yet."""

    challenge: Challenge | None
    change: Accepted | Refused
    end: Callable[[Recorded], Outcome | Exception]  # from the row that it became


class Stage(NamedTuple):
    """Messages on their way, and the arithmetic that they wait for: an answer for each ask."""

    ends: list[Any]
    asks: list[Any]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Messages examined: an end for each, and what of it must be written first."""

    ends: list[Draft | Outcome | Exception]
    changes: list[Accepted | Refused]

    def failed(self, err: Exception) -> list[Outcome | Exception]:
        """What could not be written has no outcome."""
        return [err if isinstance(end, Draft) else end for end in self.ends]


def refusal(message: Message | Sent, err: Rejected) -> Refused:
    """What is filed of a message that proves nothing; whose it is, if anybody's, is to be added."""
    return Refused(message.at, err.code, err.text, err.path, err.offset, message.raw)
