"""Attestation results: build and read EAR claims (draft-ietf-rats-ear-04, AR4SI trust vector).

Takes and gives plain values; signing them as a JWT is the caller's. The trust vector says what the
evidence showed, tier by tier: our own malfunction is -1 and never blames the device, and what
stands on a software key alone vouches for no hardware.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..core.errors import Malformed, Unsupported

PROFILE: Final = "tag:ietf.org,2026:rats/ear#04"
VERAISON_PROFILE: Final = "tag:github.com,2023:veraison/ear"  # same claims, older dotted names

NONE, AFFIRMING, WARNING, CONTRAINDICATED = 0, 2, 32, 96
TIERS: Final = {
    "none": NONE,
    "affirming": AFFIRMING,
    "warning": WARNING,
    "contraindicated": CONTRAINDICATED,
}
_TIER_NAMES = {value: name for name, value in TIERS.items()}
MALFUNCTION: Final = -1  # the verifier's own fault
CRYPTO_FAILED: Final = 99

VECTOR: Final = (
    "instance-identity",
    "configuration",
    "executables",
    "file-system",
    "hardware",
    "runtime-opaque",
    "storage-opaque",
    "sourced-data",
)
# A software key can be copied off the chip: nothing that it signs vouches for these.
NEEDS_HARDWARE_KEY: Final = frozenset(("hardware", "runtime-opaque"))

# Which claim of the vector a duty speaks for: its own row, else that of its family. What the maker
# states (support, vuln, doc) is no trustworthiness of this device.
_DUTIES = {
    "boot.files-known": "file-system",
    "boot.secure-boot": "hardware",
    "boot.key-slots": "hardware",
    "surface.debug-locked": "hardware",
    "surface.no-serial-repl": "runtime-opaque",
    "ident.fuses-monotonic": "hardware",
}
_FAMILIES = {
    "ident": "instance-identity",
    "attest": "instance-identity",
    "boot": "executables",
    "upd": "executables",
    "store": "storage-opaque",
    "surface": "configuration",
    "comm": "configuration",
    "cfg": "configuration",
    "auth": "configuration",
    "resil": "configuration",
    "time": "configuration",
}
_AFFIRMING_STATES = {"compliant": AFFIRMING, "waived": WARNING, "non-compliant": WARNING}


@dataclass(frozen=True, slots=True)
class Answer:
    """One mandatory duty's answer, in the words of the verdict."""

    duty: str
    outcome: str
    critical: bool = False


@dataclass(frozen=True, slots=True)
class Appraisal:
    """What one result says of one attester."""

    status: int  # a tier: NONE AFFIRMING WARNING CONTRAINDICATED
    vector: Mapping[str, int]
    policies: tuple[str, ...] = ()
    nonce: bytes | None = None
    verifier_claims: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A whole attestation result, as issued or as read from a peer."""

    issued_at: int
    developer: str
    build: str
    attesters: Mapping[str, Appraisal]
    expires_at: int | None = None


def appraised(
    state: str,
    answers: Iterable[Answer],
    *,
    software_key: bool,
    policies: tuple[str, ...] = (),
    nonce: bytes | None = None,
    verifier_claims: Mapping[str, Any] | None = None,
) -> Appraisal:
    """The appraisal of evidence that was believed, from its verdict."""
    vector = trust_vector(answers, software_key=software_key)
    status = max([_AFFIRMING_STATES.get(state, NONE), *map(tier, vector.values())])
    if state not in _AFFIRMING_STATES and status < WARNING:
        status = NONE  # stale or unknown: nothing is affirmed
    return Appraisal(status, vector, policies, nonce, verifier_claims)


def rejected(
    *, nonce: bytes | None = None, verifier_claims: Mapping[str, Any] | None = None
) -> Appraisal:
    """The appraisal of evidence that was refused; from outside, every reason looks alike."""
    vector = dict.fromkeys(VECTOR, CRYPTO_FAILED)
    return Appraisal(CONTRAINDICATED, vector, (), nonce, verifier_claims)


def malfunction() -> Appraisal:
    """The appraisal that the verifier itself could not make."""
    return Appraisal(NONE, dict.fromkeys(VECTOR, MALFUNCTION))


def trust_vector(answers: Iterable[Answer], *, software_key: bool) -> dict[str, int]:
    """The worst answer of each claim; a claim that no duty speaks for is left out."""
    found: dict[str, int] = {}
    for answer in answers:
        claim = _DUTIES.get(answer.duty) or _FAMILIES.get(answer.duty.partition(".")[0])
        if claim is None:
            continue
        value = _value(answer)
        if value == AFFIRMING and software_key and claim in NEEDS_HARDWARE_KEY:
            value = NONE
        found[claim] = _worse(found.get(claim), value)
    return {claim: found[claim] for claim in VECTOR if claim in found}


def _value(answer: Answer) -> int:
    if answer.outcome == "not-met":
        return CONTRAINDICATED if answer.critical else WARNING
    if answer.outcome == "waived":
        return WARNING
    if answer.outcome == "error":
        return MALFUNCTION
    return AFFIRMING if answer.outcome in ("met", "not-applicable") else NONE


def _worse(one: int | None, other: int) -> int:
    """Of two values of one claim: a bad finding, else our malfunction, else doubt, else trust."""
    order = (AFFIRMING, NONE, MALFUNCTION, WARNING, CONTRAINDICATED)
    return other if one is None else max(one, other, key=order.index)


def tier(value: int) -> int:
    """The tier of a trust vector value (AR4SI section 2.3.2)."""
    size = value if value >= 0 else -value - 1
    if size < 2 and value != -2:
        return NONE
    return AFFIRMING if size < 32 else WARNING if size < 96 else CONTRAINDICATED


def better(status: int, vector: Mapping[str, int]) -> bool:
    """Whether a status is better than the worst claim; `none` asserts nothing, so neither is."""
    worst = max(map(tier, vector.values()), default=NONE)
    return worst >= WARNING and status < worst


def build(result: Result) -> dict[str, Any]:
    """The claims of a JWT."""
    claims: dict[str, Any] = {
        "eat_profile": PROFILE,
        "iat": result.issued_at,
        "ear_status": _TIER_NAMES[max(each.status for each in result.attesters.values())],
        "ear_verifier_id": {"developer": result.developer, "build": result.build},
        "submods": {name: _appraisal(each) for name, each in result.attesters.items()},
    }
    if result.expires_at is not None:
        claims["exp"] = result.expires_at
    return claims


def _appraisal(appraisal: Appraisal) -> dict[str, Any]:
    said: dict[str, Any] = {
        "ear_status": _TIER_NAMES[appraisal.status],
        "ear_trustworthiness_vector": dict(appraisal.vector),
    }
    if appraisal.policies:
        said["ear_appraisal_policy_ids"] = list(appraisal.policies)
    if appraisal.nonce is not None:
        said["eat_nonce"] = base64.urlsafe_b64encode(appraisal.nonce).rstrip(b"=").decode()
    if appraisal.verifier_claims:
        said["ear_verifier_claims"] = dict(appraisal.verifier_claims)
    return said


def parse(claims: Any) -> Result:
    """Read the claims of a verified JWT, in -04 names or the older dotted ones."""
    if type(claims) is not dict:
        raise Malformed("claim.type", "want an object", path="ear")
    profile = claims.get("eat_profile")
    if profile not in (PROFILE, VERAISON_PROFILE):
        raise Unsupported("profile.unsupported", "want EAR 04 or Veraison's", path="ear/profile")
    spell = _underscored if profile == PROFILE else _dotted
    verifier = _take(claims, spell("verifier-id"), dict, "ear")
    submods = _take(claims, "submods", dict, "ear")
    if not submods:
        raise Malformed("claim.range", "want at least one attester", path="ear/submods")
    if "exp" in claims:
        _take(claims, "exp", int, "ear")
    return Result(
        _take(claims, "iat", int, "ear"),
        _take(verifier, "developer", str, "ear/verifier-id"),
        _take(verifier, "build", str, "ear/verifier-id"),
        {name: _read_appraisal(each, spell) for name, each in submods.items()},
        claims.get("exp"),
    )


def _underscored(name: str) -> str:
    return "ear_" + name.replace("-", "_")


def _dotted(name: str) -> str:
    return "ear." + name


def _take(said: Mapping[str, Any], name: str, kind: type, path: str) -> Any:
    if name not in said:
        raise Malformed("claim.missing", "must be said", path=f"{path}/{name}")
    if type(said[name]) is not kind:
        raise Malformed("claim.type", f"want {kind.__name__}", path=f"{path}/{name}")
    return said[name]


def _read_appraisal(said: Any, spell: Any) -> Appraisal:
    path = "ear/submods"
    if type(said) is not dict:
        raise Unsupported("claim.type", "want a plain appraisal", path=path)
    status = said.get(spell("status"))
    status = TIERS.get(status) if type(status) is str else status
    if type(status) is not int or status not in _TIER_NAMES:
        raise Malformed("claim.range", "want a tier", path=f"{path}/status")
    vector = said.get(spell("trustworthiness-vector"), {})
    if type(vector) is not dict or not all(map(_is_value, vector.items())):
        raise Malformed("claim.range", "want values of -128 to 127", path=f"{path}/vector")
    if better(status, vector):
        raise Malformed("claim.range", "better than its worst claim", path=f"{path}/status")
    return Appraisal(status, vector, _policies(said, spell), _nonce(said))


def _is_value(pair: tuple[Any, Any]) -> bool:
    return pair[0] in VECTOR and type(pair[1]) is int and -128 <= pair[1] <= 127


def _policies(said: dict[str, Any], spell: Any) -> tuple[str, ...]:
    one = said.get(_dotted("appraisal-policy-id"))  # the older form is a single text
    policies = said.get(_underscored("appraisal-policy-ids"), [])
    policies = [one] if one is not None and spell is _dotted else policies
    if type(policies) is not list or not all(type(each) is str for each in policies):
        raise Malformed("claim.type", "want texts", path="ear/submods/policies")
    return tuple(policies)


def _nonce(said: dict[str, Any]) -> bytes | None:
    nonce = said.get("eat_nonce")
    if nonce is None:
        return None
    try:
        return base64.b64decode(nonce + "=" * (-len(nonce) % 4), b"-_", validate=True)
    except (TypeError, ValueError):
        raise Malformed("claim.type", "want base64url", path="ear/submods/nonce") from None
