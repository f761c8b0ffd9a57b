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

from ..core.evidence import parse_evidence
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


End = Callable[[Carried | Exception], None]


class Carrier:
    """Evidence in, challenges and receipts out. Of the event loop that its desk runs on."""

    def __init__(self, pipeline: Pipeline, desk: Callable[[], Desk]) -> None:
        self._pipeline = pipeline
        self._desk = desk
        self._asking: set[asyncio.Future[Any]] = set()

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
        answer: asyncio.Future[Carried] = asyncio.get_running_loop().create_future()

        def end(told: Carried | Exception) -> None:
            if answer.done():  # who asked may have gone
                return
            if isinstance(told, Exception):
                answer.set_exception(told)
            else:
                answer.set_result(told)

        self.take(Sent(evidence, self._pipeline.clock(), way, result), end)
        told = await answer
        if receipt and told.status in (Status.ACCEPTED, Status.LATE):
            owner = self._signer(evidence)
            told = told._replace(receipt=await self.receipt(owner, [sha256(evidence).digest()]))
        return told

    def take(self, sent: Sent, end: End) -> None:
        """As `carry`, for who cannot wait: `end` is called with what it gives or raises."""

        def settle(outcome: Outcome | Exception) -> None:
            if isinstance(outcome, Repeated):
                self._repeat(outcome, sent.raw, end)
            elif isinstance(outcome, Busy) or not isinstance(outcome, NotTaken | Outcome):
                end(outcome)
            else:
                end(_told(outcome, sent.result))

        self._desk().submit(sent, settle)

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

    def _repeat(self, outcome: Repeated, evidence: bytes, end: End) -> None:
        """The very same bytes as before: what they were is on record."""
        ueid = (outcome.challenge.ueid or b"").hex()
        digest = sha256(evidence).digest()
        asking = asyncio.ensure_future(asyncio.to_thread(self._held, ueid, frozenset((digest,))))

        def done(asked: asyncio.Future[dict[bytes, Freshness]]) -> None:
            self._asking.discard(asked)
            try:
                end(_STANDS[asked.result().get(digest)])
            except Exception as err:
                end(err)

        self._asking.add(asking)  # the loop itself keeps no hold of it
        asking.add_done_callback(done)

    def _held(self, ueid: str, digests: frozenset[bytes]) -> dict[bytes, Freshness]:
        device = self._pipeline.store.device(ueid)
        return self._pipeline.store.held(device.id, digests) if device else {}

    def _signer(self, evidence: bytes) -> str:
        """Whose word it is, of evidence that was believed."""
        signer = self._pipeline.context.signer(parse_evidence(evidence).key_id)
        return signer.key.ueid.hex() if signer else ""


_STANDS = {
    Freshness.CHALLENGE: Carried(Status.ACCEPTED),
    Freshness.EPOCH: Carried(Status.ACCEPTED),
    Freshness.LATE: Carried(Status.LATE),
    None: Carried(Status.REFUSED, "nonce.spent"),  # its challenge was spent by a refusal
}


def _told(outcome: Outcome | NotTaken, result: bool) -> Carried:
    match outcome:
        case Judged():
            return Carried(Status.ACCEPTED, result=outcome.ear if result else "")
        case Kept():
            return Carried(Status.LATE)
        case Waiting():
            return Carried(Status.WANTED, wanted=outcome.wanted)
        case TurnedAway():
            return Carried(Status.REFUSED, outcome.why.code)
        case NotTaken():
            code = outcome.code
            return Carried(Status.REFUSED, "sig.bad" if code in _ALIKE else code)
        case Repeated():
            raise ValueError("what was said before is on record")
