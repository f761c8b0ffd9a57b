"""The one pipeline behind HTTP and serial: from a session and its bytes to an outcome on record.

Strangers' bytes are bounded and shaped before anything is looked up; our own faults leave as
exceptions and never become a verdict (THREATS R5).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import Any

from ..core.claims import ClaimsSet
from ..core.duties import Severity
from ..core.errors import Malformed, Rejected
from ..core.evidence import MAX_BYTES, Evidence, parse_evidence
from ..core.freshness import Challenge
from ..core.keyring import KeyRing
from ..core.reference import Policy
from ..core.trust import opened, sealed
from ..core.verdict import Catalogue
from ..core.verify import Report, answered, described
from ..fleet.context import Context, Signer
from ..fleet.judging import Judge
from ..store import Accepted, ChallengeRow, Recorded, Spent, Store, StoreUnavailable
from ..tuples import new
from .epochs import EPOCH_S, Epochs
from .nonces import draw_challenge
from .outcomes import (
    BadEnvelope,
    Judged,
    NoSession,
    NotTaken,
    Outcome,
    Repeated,
    TurnedAway,
    Waiting,
)
from .results import Results, together
from .sessions import Sessions, again
from .steps import (
    Brought,
    Draft,
    Heard,
    Message,
    Opened,
    Prepared,
    Presented,
    Sent,
    Signed,
    Stage,
    Weighed,
    Worded,
    refusal,
)
from .unasked import Unasked

BARE = "application/eat+cwt"
BUNDLE = "application/eat-bun+cbor"
ACCEPTS = (BARE, BUNDLE)


def wall_clock() -> int:
    return int(time.time())


class Pipeline:
    """Challenges out, evidence in. Safe to use from several threads."""

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        policy: Policy,
        results: Results,
        *,
        ttl_s: int = 300,
        epoch_s: int = EPOCH_S,
        clock: Callable[[], int] = wall_clock,
        ring: KeyRing | None = None,
    ) -> None:
        self.store = store
        self.context = Context(store, policy, ring)
        self.judge = Judge(catalogue)
        self.results = results
        self.clock = clock
        self._ttl_s = ttl_s
        self._severe = frozenset(
            duty.id for duty in catalogue.duties if duty.severity is Severity.CRITICAL
        )
        self._open = Sessions()
        self.epochs = Epochs(store, clock, period_s=epoch_s)
        self._unasked = Unasked(
            self.context,
            self.judge,
            self.epochs,
            self._open,
            self._session,
            partial(results.of_epoch, self._severe),
        )

    def challenge(
        self, ueid: bytes | None = None, *, wait: bool = True, carried: bool = False
    ) -> Challenge:
        """Open a session, for one device if it is named.

        With `wait=False` its row is on its way to disk, ahead of its answer. One that is `carried`
        is found again by its nonce.
        """
        made = draw_challenge(now=self.clock(), ttl_s=self._ttl_s, ueid=ueid)
        if carried:
            made = replace(made, session=made.nonce.hex())
        self.store.issue(made, wait=wait)
        self._open.add(made)
        return made

    def submit(self, session: str, raw: bytes, media_type: str | None = None) -> Outcome:
        """Take one message all the way. Raises NotTaken, or StoreUnavailable for our own fault."""
        kind = media_type or (BARE if raw[:1] in (b"\xd2", b"\xd1") else BUNDLE)
        outcome = self.submit_many([Message(session, raw, kind, self.clock())])[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def session(self, session: str) -> ChallengeRow:
        """A session that is not over yet, open or answered. Raises NoSession."""
        row = self.store.challenge(session)
        if row is None and (opened := self._open.get(session)):
            row = ChallengeRow(opened, None, None, None)  # still on its way to disk
        if row is None:
            raise NoSession("nonce.unknown", "no such session")
        if row.challenge.expires <= self.clock():
            raise NoSession("nonce.expired", "the session has expired")
        return row

    def forget(self, session: str) -> None:
        """Close a session, answered or not; what it brought stays on record."""
        self._open.drop(session)
        self.store.drop_challenge(session)

    def submit_many(self, messages: Sequence[Message]) -> list[Outcome | Exception]:
        """Take messages in, each by itself, all under one durable commit."""
        prepared = self.prepare(messages)
        try:
            rows = self.store.record_many(prepared.changes) if prepared.changes else []
        except Exception as err:  # our own fault: nobody is told that it was kept
            return prepared.failed(err)
        return self.conclude(prepared, rows)

    def prepare(self, messages: Sequence[Message | Sent]) -> Prepared:
        """All that comes before the record: nothing is written, nothing is spent.

        In three parts, between which there is nothing but arithmetic, so that another process can
        do it. Step by step for all messages, for what a step needs stays in the processor's cache.
        """
        read = self.read(messages)
        weighed = self.weigh(read, [seal.holds() for seal in read.asks])
        return self.draft(weighed, [self.results.sign(said) for said in weighed.asks])

    def read(self, messages: Sequence[Message | Sent]) -> Stage:
        """What they are and who is said to have signed them; asked is whether each seal holds."""
        self.context.refresh()
        ends = _walk(
            messages,
            (Sent, self._unasked.present),
            (Message, self._open_up),
            (Opened, self._present),
        )
        return Stage(ends, [end.sealed for end in ends if isinstance(end, Presented | Brought)])

    def weigh(self, read: Stage, holds: Sequence[bool]) -> Stage:
        """What they say and what comes of it; asked is a signature of each result."""
        told = iter(holds)
        ends = _walk(
            read.ends,
            (Presented | Brought, lambda each: self._authenticate(each, next(told))),
            (Signed, self._hear),
            (Heard, self._weigh),
            (Weighed, partial(self._word, self.context.generation)),
        )
        return Stage(ends, [end.said for end in ends if type(end) is Worded])

    def draft(self, weighed: Stage, signatures: Sequence[bytes]) -> Prepared:
        """All that is to be written."""
        made = iter(signatures)
        ends = _walk(weighed.ends, (Worded, lambda each: each.draft(next(made))))
        return Prepared(ends, [end.change for end in ends if type(end) is Draft])

    def conclude(
        self, prepared: Prepared, rows: Sequence[Recorded | Spent]
    ) -> list[Outcome | Exception]:
        """All that comes after the record: each draft becomes the outcome of its row."""
        left = iter(rows)
        return [
            self._settle(end, next(left)) if isinstance(end, Draft) else end
            for end in prepared.ends
        ]

    def _open_up(self, message: Message) -> Opened | Draft | Outcome:
        challenge = self._session(message)
        if isinstance(challenge, Repeated):
            return challenge
        try:
            evidence = _envelope(message)
        except Malformed as err:
            return _unopened(message, err)
        signer = self.context.signer(evidence.key_id)
        return new(Opened, (message, challenge, evidence, signer))

    def _present(self, asked: Opened) -> Presented | Worded:
        signer = asked.signer
        try:
            found = sealed(asked.evidence, signer.key if signer else None)
        except Rejected as err:
            return self._refuse(asked, err)
        if signer is None:  # it was refused; this tells the type checker
            raise RuntimeError("sealed without a signer")
        return new(Presented, (asked, signer, found))

    def _authenticate(
        self, presented: Presented | Brought, holds: bool
    ) -> Signed | Worded | Draft | Outcome:
        if isinstance(presented, Brought):
            return self._unasked.recognise(presented, holds)
        asked, signer, found = presented
        try:
            return new(Signed, (asked, signer, opened(found, holds)))
        except Rejected as err:
            return self._refuse(asked, err)

    def _hear(self, signed: Signed) -> Heard | Worded | Outcome:
        asked, signer, verified = signed
        try:
            report = answered(verified, asked.challenge, now=asked.message.at)
            claims_set = self._set(report)
        except Rejected as err:
            return self._refuse(asked, err)
        if claims_set is None:
            return Waiting(asked.challenge, signer.key.device, report.token.set_digest)
        return new(Heard, (asked, signer, report, claims_set))

    def _weigh(self, heard: Heard) -> Weighed:
        asked, signer, report, claims_set = heard
        at = asked.message.at
        facts = self.context.facts(signer.unit, signer.epoch, report.token, claims_set, now=at)
        return new(Weighed, (heard, facts, self.judge.judge(facts)))

    def _session(self, message: Message) -> Challenge | Repeated:
        """The open challenge of a session, or the answer that it gave to these very bytes."""
        challenge = self._open.get(message.session)
        if challenge is None:
            row = self.store.challenge(message.session)
            if row is None:
                raise NoSession("nonce.unknown", "no such session")
            challenge = row.challenge
            if row.challenge.expires > message.at and row.spent_at is not None:
                return again(
                    challenge, Spent(row.spent_by, row.answer), sha256(message.raw).digest()
                )
        if challenge.expires <= message.at:
            raise NoSession("nonce.expired", "the session has expired")
        return challenge

    def _set(self, report: Report) -> ClaimsSet | None:
        known = self.context.claims_set(report.token.set_digest)
        found = described(report, known)
        return found if found is None or found is known else self.context.remember(found)

    def _word(self, generation: int, weighed: Weighed) -> Worded:
        (asked, signer, report, claims_set), facts, verdict = weighed
        message, challenge, evidence, _ = asked
        at, token = message.at, report.token
        said = self.results.judged(verdict, facts.profile, self._severe, challenge, at)

        def draft(signature: bytes) -> Draft:
            ear = together(said, signature)
            change = Accepted(
                session=challenge.session,
                spent_by=sha256(message.raw).digest(),
                answer=ear,
                received=at,
                raw=message.raw,
                key_id=evidence.key_id,
                epoch=signer.epoch,
                token=token,
                claims_set=evidence.claims_set,
                verdict=verdict,
                subjects=self.context.subjects(facts),
                references=generation,
                counted=self.context.count(facts, signer.epoch, claims_set),
            )

            def end(row: Recorded) -> Outcome:
                self.context.take(verdict.device, signer.epoch, token, claims_set, at, row=row.id)
                return Judged(challenge, verdict.device, row.id, verdict, ear)

            return Draft(challenge, change, end)

        return Worded(said, draft)

    def _refuse(self, asked: Opened, err: Rejected) -> Worded:
        message, challenge, evidence, signer = asked
        device = self._answerable(challenge, signer)
        said = self.results.refused(challenge, message.at)

        def draft(signature: bytes) -> Draft:
            ear = together(said, signature)
            change = refusal(message, err)._replace(
                session=challenge.session,
                spent_by=sha256(message.raw).digest(),
                answer=ear,
                device=device,
                key_id=evidence.key_id,
            )
            return Draft(
                challenge, change, lambda row: TurnedAway(challenge, device, row.id, err, ear)
            )

        return Worded(said, draft)

    def _answerable(self, challenge: Challenge, signer: Signer | None) -> str | None:
        """Under whom a refusal is filed: who asked for the challenge, else whose key is named.

        A replayed report was signed by its victim; the session is the replayer's own.
        """
        opener = self.store.device(challenge.ueid.hex()) if challenge.ueid else None
        if opener is not None:
            return opener.id
        return signer.key.device if signer else None

    def _settle(self, draft: Draft, row: Recorded | Spent) -> Outcome | Exception:
        ours = draft.challenge is not None and self._open.drop(draft.challenge.session)
        if isinstance(row, Recorded):
            return draft.end(row)
        if draft.challenge is None:  # what names no challenge cannot find it spent
            return RuntimeError("spent without a challenge")
        if ours and row.spent_by is None:  # nobody waited for its row, and it never came to disk
            return StoreUnavailable("the challenge was not kept")
        try:
            return again(draft.challenge, row, draft.change.spent_by)
        except NotTaken as err:
            return err


def _walk(ends: Sequence[Any], *steps: tuple[Any, Callable[[Any], Any]]) -> list[Any]:
    """Each step takes what is of its kind; what has come to its end passes by."""
    for kind, step in steps:
        ends = [_apart(step, each) if isinstance(each, kind) else each for each in ends]
    return list(ends)


def _apart(step: Callable[[Any], Any], each: Any) -> Any:
    """One message's trouble is not its neighbours'."""
    try:
        return step(each)
    except Exception as err:
        return err


def _envelope(message: Message) -> Evidence:
    """Well-formed evidence of the announced form."""
    if len(message.raw) > MAX_BYTES:
        raise Malformed("size.limit", f"more than {MAX_BYTES} bytes")
    evidence = parse_evidence(message.raw)
    if (evidence.claims_set is None) != (message.media_type == BARE):
        raise Malformed("cose.structure", f"not the form of {message.media_type}")
    return evidence


def _unopened(message: Message, err: Malformed) -> Draft:
    """Filed, but it spends nothing: anybody could have sent these bytes."""
    told = BadEnvelope(err.code, err.text, path=err.path, offset=err.offset)
    return Draft(None, refusal(message, err), lambda _: told)
