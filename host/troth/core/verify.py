"""The walk of one attestation, from bytes to verdict, on one screen (RFC 9334 section 8).

Nothing here waits, writes or reads a clock: the caller loads what the walk needs and records what
came of it.

    evidence = parse_evidence(raw)                    well-formed, not believed
    key = our own table at evidence.key_id
    report = authenticated(evidence, key, challenge, now=now)    who said it, and just now
    claims = described(report, known)                 what it says of itself; None: ask for the set
    verdict = verdict_on(facts, catalogue)            every duty answered

Each step raises `Rejected` when the message proves nothing about any device; the last one never
raises.
"""

from __future__ import annotations

from typing import NamedTuple

from ..tuples import new
from .claims import ClaimsSet, Token, check_set_digest, read_claims_set, read_token
from .duties import Facts
from .evidence import Evidence, parse_evidence
from .freshness import Challenge, check_freshness
from .trust import KnownKey, VerifiedEvidence, authenticate
from .verdict import Catalogue, Verdict, judge


class Report(NamedTuple):
    """What one known device said: signed by its own key, in its own name."""

    verified: VerifiedEvidence
    token: Token


def attributed(evidence: Evidence, key: KnownKey | None) -> Report:
    """Whose word it is, whenever it was given: what can be said of a file without its challenge."""
    verified = authenticate(evidence, key)
    return Report(verified, read_token(verified))


def authenticated(
    evidence: Evidence, key: KnownKey | None, challenge: Challenge, *, now: int
) -> Report:
    """Whose word it is, given in answer to our own open challenge."""
    return answered(authenticate(evidence, key), challenge, now=now)


def answered(verified: VerifiedEvidence, challenge: Challenge, *, now: int) -> Report:
    """What was said in its own name by who signed, and in answer to our own open challenge."""
    token = read_token(verified)
    check_freshness(token, challenge, now=now)
    return new(Report, (verified, token))


def described(report: Report, known: ClaimsSet | None) -> ClaimsSet | None:
    """The claims-set that the token signed: as known by its digest, else as it travelled with it.

    None: neither; the device must be asked for it. A set that travelled is checked even when it
    is known: evidence with a false part is refused as a whole.
    """
    digest = report.token.set_digest
    if known is not None and known.digest != digest:
        raise ValueError("the known claims-set has another digest")
    travelled = report.verified.claims_set
    if travelled is None:
        return known
    if known is None:
        return read_claims_set(travelled, digest)
    check_set_digest(travelled, digest)
    return known


def verdict_on(facts: Facts, catalogue: Catalogue) -> Verdict:
    """All duties answered for a device that gave its word."""
    return judge(facts, catalogue)


__all__ = [
    "Report",
    "answered",
    "attributed",
    "authenticated",
    "described",
    "parse_evidence",
    "verdict_on",
]
