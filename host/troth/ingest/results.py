"""Results for the device and for relying parties: an EAR as a signed JWT (draft-ietf-rats-ear)."""

from __future__ import annotations

import json
from binascii import b2a_base64
from dataclasses import dataclass, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from .. import __version__
from ..core.device import Profile
from ..core.freshness import Challenge
from ..core.verdict import Verdict
from ..formats import cose, ear

_KEPT = 100_000  # devices
ATTESTER = "board"  # the one submodule of every result of ours
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class Results:
    """Signs results with the verifier's own EAR key; beside them it signs receipts alone."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self._said: dict[str, _Said] = {}
        self._head = _b64(
            json.dumps({"alg": "ES256", "typ": "JWT"}, separators=(",", ":")).encode()
        )

    def judged(
        self,
        verdict: Verdict,
        profile: Profile,
        severe: frozenset[str],
        challenge: Challenge,
        at: int,
    ) -> bytes:
        """The result of evidence that was verified, whatever it shows; `severe` are duty ids.

        To be signed and put together, as what `refused` gives.
        """
        said = self._said.get(verdict.device)
        if said is None or not said.is_of(verdict):
            said = _Said(verdict, _template(_appraised(verdict, profile, severe)))
            if len(self._said) >= _KEPT:
                self._said.clear()
            self._said[verdict.device] = said
        return self._unsigned(_filled(said.template, challenge, at, verdict.until))

    def refused(self, challenge: Challenge, at: int) -> bytes:
        """A contraindicated result; unknown keys and bad signatures look alike from outside."""
        return self._unsigned(_filled(_REFUSED, challenge, at, None))

    def of_epoch(
        self, severe: frozenset[str], verdict: Verdict, profile: Profile, handle: Challenge, at: int
    ) -> str:
        """The result of an answer to an epoch handle; it says so, and since when it may be true."""
        said = _appraised(verdict, profile, severe)
        since = {"troth_challenge": "epoch", "troth_fresh_since": handle.issued}
        said = replace(said, verifier_claims={**(said.verifier_claims or {}), **since})
        signed = self._unsigned(_filled(_template(said), handle, at, verdict.until))
        return together(signed, self.sign(signed))

    def sign(self, signed: bytes) -> bytes:
        """ES256 by the verifier's key: r, then s."""
        return cose.sign_es256(self._key, signed)

    def secret(self) -> bytes:
        """The key itself, DER: for a process of ours that signs in our place."""
        return self._key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    def public_jwk(self) -> dict[str, Any]:
        """What verifies the results (RFC 7517)."""
        point = self._key.public_key().public_numbers()
        x, y = (_b64(part.to_bytes(32, "big")).decode() for part in (point.x, point.y))
        return {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "x": x, "y": y}

    def _unsigned(self, claims: bytes) -> bytes:
        return self._head + b"." + _b64(claims)


def together(signed: bytes, signature: bytes) -> str:
    """A compact JWS (RFC 7515, RFC 7518 section 3.4)."""
    return (signed + b"." + _b64(signature)).decode()


@dataclass(frozen=True, slots=True)
class _Said:
    """What was last said of a device, for as long as its verdict stands."""

    verdict: Verdict
    template: bytes

    def is_of(self, verdict: Verdict) -> bool:
        held = self.verdict
        return (
            held.appraisals is verdict.appraisals
            and held.duty_set is verdict.duty_set
            and held.state is verdict.state
        )


def _appraised(verdict: Verdict, profile: Profile, severe: frozenset[str]) -> ear.Appraisal:
    chosen = verdict.duty_set
    answers = (
        ear.Answer(each.duty, each.outcome.value, each.duty in severe)
        for each in verdict.appraisals
        if each.duty in chosen.mandatory
    )
    return ear.appraised(
        verdict.state.value,
        answers,
        software_key=profile is Profile.P0,
        policies=(f"urn:troth:duty-set:{chosen.digest}", f"urn:troth:catalogue:{chosen.catalogue}"),
        verifier_claims={
            "troth_device": verdict.device,
            "troth_state": verdict.state.value,
            "troth_failing": [each.duty for each in verdict.failing],
        },
    )


_NO_NONCE = bytes(32)
_NO_INSTANT = (1 << 53) - 1  # stands where an instant will, and nowhere else


def _template(appraisal: ear.Appraisal) -> bytes:
    """The claims of a result as JSON, with places for the instants and, after them, the nonce."""
    held = {ATTESTER: replace(appraisal, nonce=_NO_NONCE)}
    claims = ear.build(ear.Result(_NO_INSTANT, "troth", __version__, held))
    said = json.dumps(claims, separators=(",", ":")).replace("%", "%%")
    said = said.replace(f'"iat":{_NO_INSTANT}', '"iat":%d%b')
    return said.replace(_b64(_NO_NONCE).decode(), "%b").encode()


def _filled(template: bytes, challenge: Challenge, at: int, until: int | None) -> bytes:
    exp = b"" if until is None else b',"exp":%d' % until
    return template % (at, exp, _b64(challenge.nonce))


def _b64(raw: bytes) -> bytes:
    return b2a_base64(raw, newline=False).translate(_URL_SAFE).rstrip(b"=")


_REFUSED = _template(ear.rejected())
