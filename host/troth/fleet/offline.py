"""Any bytes judged against a store, and nothing recorded: the auditor's way in (RFC 9334 s. 8)."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.claims import ClaimsSet, Token, read_claims_set
from ..core.errors import Malformed, Rejected, Replayed, UnknownSigner
from ..core.evidence import MAX_BYTES, parse_evidence
from ..core.freshness import Freshness
from ..core.keyring import KeyRing
from ..core.reference import Policy
from ..core.verdict import Catalogue, State, Verdict, judge
from ..core.verify import Report, attributed, described
from ..store import Store
from ..trouble import Trouble
from .context import Context
from .history import History


@dataclass(frozen=True, slots=True)
class Opinion:
    """What these bytes are worth: a verdict, or the refusal."""

    verdict: Verdict | None
    refusal: Rejected | None
    device: str | None  # whose key signed, when it is known
    fresh: bool | None  # None: no nonce was given to hold it against

    @property
    def state(self) -> State | None:
        return self.verdict.state if self.verdict else None


class _Then(Context):
    """Facts as they stood at an instant: what was reported later has not happened yet."""

    def __init__(self, store: Store, policy: Policy, ring: KeyRing | None, at: int) -> None:
        super().__init__(store, policy, ring)
        self._at = at
        self.own: Token | None = None  # the report under judgement, perhaps on record itself

    def _load_history(self, device: str, epoch: int) -> History:
        history = History()
        for token, received, freshness, _ in self.store.tokens(device, epoch):
            if received > self._at or (self.own and _same_moment(token, self.own)):
                break
            history.take(token, received, late=freshness is Freshness.LATE)
        return history


def _same_moment(one: Token, other: Token) -> bool:
    """The same second of the same boot of the same board."""
    return (one.boot_count, one.boot_seed, one.uptime_s, one.set_digest) == (
        other.boot_count,
        other.boot_seed,
        other.uptime_s,
        other.set_digest,
    )


def verify_bytes(
    store: Store,
    policy: Policy,
    catalogue: Catalogue,
    raw: bytes,
    *,
    now: int,
    claims_set: bytes | None = None,
    nonce: bytes | None = None,
    ring: KeyRing | None = None,
) -> Opinion:
    """Take bytes through the whole walk. Trouble `evidence.set-unknown` when its set is missing."""
    context = _Then(store, policy, ring, now)
    context.refresh()
    device = None
    fresh = None
    try:
        if len(raw) > MAX_BYTES:
            raise Malformed("size.limit", f"more than {MAX_BYTES} bytes")
        evidence = parse_evidence(raw)
        signer = context.signer(evidence.key_id)
        device = signer.key.device if signer else None
        report = attributed(evidence, signer.then if signer else None)
        context.own = report.token
        handle = store.handle(report.token.nonce)
        if signer and not signer.before(handle.issued if handle else now):
            raise UnknownSigner("key.revoked", "another key took its place", path="protected/kid")
        fresh = _is_fresh(report.token, nonce)
        if fresh is False:
            raise Replayed(
                "nonce.replayed", "another nonce than the one given", path="claims/nonce"
            )
        known = _set(context, report, claims_set)
        if signer is None:  # attributed has refused it; this tells the type checker
            raise Trouble("internal", "attributed without a signer")
    except Rejected as err:
        return Opinion(None, err, device, fresh)
    if handle is None:
        facts = context.facts(signer.unit, signer.epoch, report.token, known, now=now)
    else:  # as it was judged when it came
        late = (
            now >= handle.expires
            or not signer.before(now)
            or context.overtaken(signer.key.device, signer.epoch, report.token, handle)
        )
        facts = context.facts(
            signer.unit,
            signer.epoch,
            report.token,
            known,
            now=min(now, handle.expires) if late else now,
            given=handle.issued,
            late=late,
        )
    return Opinion(judge(facts, catalogue), None, device, fresh)


def _is_fresh(token: Token, nonce: bytes | None) -> bool | None:
    return None if nonce is None else token.nonce == nonce


def _set(context: Context, report: Report, given: bytes | None) -> ClaimsSet:
    """The set that travelled, else the one given, else the one that the store knows."""
    digest = report.token.set_digest
    if given is not None:
        return read_claims_set(given, digest)
    known = described(report, context.claims_set(digest))
    if known is None:
        raise Trouble(
            "evidence.set-unknown",
            "this is a bare token, and its claims-set is not in the store",
            why=f"it signs the set with SHA-256 {digest.hex()}",
            fix="give the set with --set FILE",
        )
    return known
