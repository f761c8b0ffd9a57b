"""The desk's side for whoever carries evidence by another way than a session (WIRE 2.8).

A board that sleeps answers an epoch handle; one behind a broker may ask for a challenge of its
own. Both send their evidence without a session and free it only on a receipt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from enum import IntEnum
from hashlib import sha256
from typing import Any, NamedTuple

import cbor2

from ..core.freshness import Freshness
from .desk import Busy, Desk
from .epochs import published
from .outcomes import Judged, Kept, NotTaken, Outcome, Repeated, TurnedAway, Waiting
from .pipeline import Pipeline
from .receipts import receipt
from .steps import Sent

# what a stranger must not learn: whether a key is enrolled here
_ALIKE = frozenset({"key.unknown", "cose.algorithm"})


class Status(IntEnum):
    """What became of evidence (troth.cddl, answer)."""

    ACCEPTED = 0
    WANTED = 1
    REFUSED = 2
    LATE = 3


class Carried(NamedTuple):
    """What its sender is told."""

    status: Status
    code: str = ""  # of a refusal
    wanted: bytes | None = None  # SHA-256 of the set that is to come along
    result: str = ""  # the EAR, if it was asked for
    receipt: bytes | None = None  # if it was asked for, and the evidence is on record

    @property
    def message(self) -> bytes:
        """As boards read it."""
        said: dict[str, Any] = {}
        if self.code:
            said["code"] = self.code
        if self.result:
            said["result"] = self.result
        said["status"] = int(self.status)
        if self.wanted is not None:
            said["wanted"] = [self.wanted]
        return cbor2.dumps(said)


class Carrier:
    """Evidence in, challenges and receipts out. Of the event loop that its desk runs on."""

    def __init__(self, pipeline: Pipeline, desk: Callable[[], Desk]) -> None:
        self._pipeline = pipeline
        self._desk = desk

    async def carry(
        self,
        evidence: bytes,
        *,
        ueid: str | None = None,
        result: bool = False,
        receipt: bool = False,
    ) -> Carried:
        """Take evidence all the way; `ueid` (hex) is whose way it came, if the way says so.

        Raises Busy, or StoreUnavailable and the like for our own fault: nothing was taken in.
        """
        way = None if ueid is None else bytes.fromhex(ueid)
        outcome = await self._submit(Sent(evidence, self._pipeline.clock(), way, result))
        told = _told(outcome)
        if isinstance(outcome, Repeated):
            told = await self._again(outcome, evidence)
        if not result:
            told = told._replace(result="")
        if receipt and told.status in (Status.ACCEPTED, Status.LATE):
            owner = await asyncio.to_thread(self._ueid, outcome)
            told = told._replace(receipt=await self.receipt(owner, [sha256(evidence).digest()]))
        return told

    async def ask(self, ueid: str) -> bytes:
        """A challenge for this device alone, on disk: `{4: expiry, 10: nonce}`."""
        make = self._pipeline.challenge
        made = await asyncio.to_thread(make, bytes.fromhex(ueid), carried=True)
        return cbor2.dumps({4: made.expires, 10: made.nonce})

    async def epoch(self) -> bytes:
        """The epoch handle of now."""
        epochs = self._pipeline.epochs
        held = epochs.standing()
        if held is None:
            held = await asyncio.to_thread(epochs.current)
        return published(held)

    async def receipt(self, ueid: str, digests: Sequence[bytes]) -> bytes:
        """A signed receipt over those of these digests that are this device's evidence on disk."""
        held = await asyncio.to_thread(self._held, ueid, frozenset(digests))
        ours = [digest for digest in digests if digest in held]
        return receipt(self._pipeline.results, bytes.fromhex(ueid), ours, self._pipeline.clock())

    async def _submit(self, sent: Sent) -> Outcome | NotTaken:
        answer: asyncio.Future[Outcome | NotTaken] = asyncio.get_running_loop().create_future()

        def end(outcome: Outcome | Exception) -> None:
            if answer.done():  # who asked may have gone
                return
            if isinstance(outcome, Busy) or not isinstance(outcome, NotTaken | Outcome):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)

        self._desk().submit(sent, end)
        return await answer

    async def _again(self, outcome: Repeated, evidence: bytes) -> Carried:
        """The very same bytes as before: what they were is on record."""
        digest = sha256(evidence).digest()
        ueid = (outcome.challenge.ueid or b"").hex()
        held = await asyncio.to_thread(self._held, ueid, frozenset((digest,)))
        if digest not in held:
            return Carried(Status.REFUSED, "nonce.spent")
        late = held[digest] is Freshness.LATE
        return Carried(Status.LATE if late else Status.ACCEPTED)

    def _held(self, ueid: str, digests: frozenset[bytes]) -> dict[bytes, Freshness]:
        device = self._pipeline.store.device(ueid)
        return self._pipeline.store.held(device.id, digests) if device else {}

    def _ueid(self, outcome: Outcome | NotTaken) -> str:
        """Whose evidence it was."""
        if isinstance(outcome, Repeated):
            return (outcome.challenge.ueid or b"").hex()
        device = outcome.device if isinstance(outcome, Judged | Kept) else None
        row = self._pipeline.store.device(device or "")
        return row.ueid if row else ""


def _told(outcome: Outcome | NotTaken) -> Carried:
    match outcome:
        case Judged():
            return Carried(Status.ACCEPTED, result=outcome.ear)
        case Kept():
            return Carried(Status.LATE)
        case Waiting():
            return Carried(Status.WANTED, wanted=outcome.wanted)
        case TurnedAway():
            return Carried(Status.REFUSED, outcome.why.code)
        case NotTaken():
            code = outcome.code
            return Carried(Status.REFUSED, "sig.bad" if code in _ALIKE else code)
        case _:
            return Carried(Status.ACCEPTED)
