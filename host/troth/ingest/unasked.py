"""Evidence that names no session: its own nonce says which challenge of ours it answers.

Either a challenge that was carried to this device (`Carrier.ask`), which goes the way of all
sessions, or an epoch handle. What no enrolled key signed is refused and not filed: without a
challenge to spend, anybody could fill the disk.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

from ..core.claims import read_token
from ..core.device import Profile
from ..core.errors import BadSignature, Malformed, Rejected, Replayed, UnknownSigner
from ..core.evidence import Evidence, parse_evidence
from ..core.freshness import Challenge, Freshness, Handle, check_handle
from ..core.trust import Sealed, VerifiedEvidence, opened, sealed
from ..core.verdict import Verdict
from ..core.verify import Report, described
from ..fleet.context import Context, Signer
from ..fleet.judging import Judge
from ..store import Accepted, Recorded
from .epochs import Epochs
from .outcomes import (
    BadEnvelope,
    Filed,
    Judged,
    Kept,
    NoSession,
    NotTaken,
    Outcome,
    Repeated,
    Waiting,
)
from .sessions import Sessions
from .steps import Brought, Draft, Message, Opened, Sent, Signed, refusal


class Unasked:
    """The pipeline's step for what comes without a session."""

    def __init__(
        self,
        context: Context,
        judge: Judge,
        epochs: Epochs,
        sessions: Sessions,
        challenge: Callable[[Message], Challenge | Repeated],
        result: Callable[[Verdict, Profile, Challenge, int], str],
    ) -> None:
        self._context = context
        self._judge = judge
        self._epochs = epochs
        self._sessions = sessions
        self._challenge = challenge
        self._result = result

    def present(self, sent: Sent) -> Brought:
        """Who is said to have signed it. Raises NotTaken."""
        evidence, signer = self._read(sent)
        # of a key that was replaced in good order its time is weighed first
        try:
            return Brought(sent, evidence, signer, sealed(evidence, signer.then))
        except Rejected as err:
            raise NotTaken(err.code, err.text, path=err.path) from err

    def recognise(self, brought: Brought, holds: bool) -> Signed | Draft | Outcome:
        """Whose word it is, in answer to what; an answer to a handle is judged right here."""
        sent, evidence, signer, found = brought
        try:
            verified = _believed(found, holds)
            token = read_token(verified)
            if sent.ueid is not None and token.ueid != sent.ueid:
                raise BadSignature("id.mismatch", "came another device's way", path="claims/ueid")
            session = token.nonce.hex()
            if self._sessions.get(session) is None:
                handle = self._epochs.find(token.nonce)
                if handle is not None:
                    return self._heard(sent, evidence, signer, Report(verified, token), handle)
            message = Message(session, sent.raw, "", sent.at)  # its form was read already
            challenge = self._challenge(message)
            if signer.retired is not None and not isinstance(challenge, Repeated):
                raise _replaced("another key took its place")
        except NoSession as err:
            why = Replayed(err.code, "answers no challenge of ours", path="claims/nonce")
            return self._refuse(sent, signer, why)
        except Rejected as err:
            return self._refuse(sent, signer, err)
        if isinstance(challenge, Repeated):
            return challenge
        return Signed(Opened(message, challenge, evidence, signer), signer, verified)

    def _read(self, sent: Sent) -> tuple[Evidence, Signer]:
        """Evidence that names a key of ours. Raises NotTaken."""
        try:
            evidence = parse_evidence(sent.raw)
        except Malformed as err:
            raise BadEnvelope(err.code, err.text, path=err.path, offset=err.offset) from err
        signer = self._context.signer(evidence.key_id)
        if signer is None:
            raise NotTaken("key.unknown", "no enrolled key has this id", path="protected/kid")
        return evidence, signer

    def _heard(
        self, sent: Sent, evidence: Evidence, signer: Signer, report: Report, handle: Handle
    ) -> Draft | Outcome:
        """An answer to a handle: judged by what was so within its time."""
        token, device, at = report.token, signer.key.device, sent.at
        freshness = check_handle(token, handle, now=at)
        if not signer.before(handle.issued):
            raise _replaced("another key had taken its place by then")
        if not signer.before(at) or self._context.overtaken(device, signer.epoch, token, handle):
            freshness = Freshness.LATE
        challenge = Challenge(
            handle.nonce.hex(), handle.nonce, handle.issued, handle.expires, ueid=token.ueid
        )
        known = described(report, self._context.claims_set(token.set_digest))
        if known is None:
            return Waiting(challenge, device, token.set_digest)
        claims_set = self._context.remember(known)
        late = freshness is Freshness.LATE
        facts = self._context.facts(
            signer.unit,
            signer.epoch,
            token,
            claims_set,
            now=min(at, handle.expires) if late else at,
            given=handle.issued,
            late=late,
        )
        verdict = self._judge.judge(facts)
        change = Accepted(
            session=None,
            spent_by=sha256(sent.raw).digest(),
            answer="",
            received=at,
            raw=sent.raw,
            key_id=evidence.key_id,
            epoch=signer.epoch,
            token=token,
            claims_set=evidence.claims_set,
            verdict=verdict,
            subjects=self._context.subjects(facts),
            references=self._context.generation,
            handle=handle,
            freshness=freshness,
            given=handle.issued,
            counted=self._context.count(facts, signer.epoch, claims_set),
        )

        def end(row: Recorded) -> Outcome:
            self._context.take(
                device, signer.epoch, token, claims_set, at, late=row.late, row=row.id
            )
            if row.late:
                return Kept(challenge, device, row.id)
            ear = self._result(verdict, facts.profile, challenge, at) if sent.result else ""
            return Judged(challenge, device, row.id, verdict, ear)

        return Draft(challenge, change, end)

    def _refuse(self, sent: Sent, signer: Signer, err: Rejected) -> Draft:
        """Filed under whose way it came, else under who signed it; it spends nothing."""
        device: str | None = signer.key.device
        if sent.ueid is not None and sent.ueid != signer.key.ueid:
            owner = self._context.store.device(sent.ueid.hex())
            device = owner.id if owner else None
        change = refusal(sent, err)._replace(device=device, key_id=signer.key.key_id)
        return Draft(None, change, lambda _: Filed(device, err))


def _replaced(why: str) -> UnknownSigner:
    return UnknownSigner("key.revoked", why, path="protected/kid")


def _believed(found: Sealed, holds: bool) -> VerifiedEvidence:
    """Evidence that its signer signed. Raises NotTaken, and `key.revoked` of who did sign it."""
    try:
        return opened(found, holds)
    except UnknownSigner:
        raise
    except Rejected as err:
        raise NotTaken(err.code, err.text, path=err.path) from err
