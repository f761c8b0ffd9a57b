"""Our own vectors, one folder a message: its bytes, the facts it meets, and what must come of it.

`python tests/vectors/make.py` writes them again; a test checks that this changes nothing. Keys are
derived from seeds, so that no private key lies in the repository.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import forge
from forge import DROP, Raw, Tag, cbor, head, nonce_of, wrap

HERE = Path(__file__).parent
BOARD, OTHER, STRANGER = forge.Device(1), forge.Device(2), forge.Device(99)
PLAIN = forge.Device(3, profile="P0")
ENROLLED = {BOARD: "active", OTHER: "active", PLAIN: "active", forge.Device(4): "revoked"}
REVOKED = list(ENROLLED)[3]
NONCE = nonce_of(1)
ISSUED, EXPIRES = 1_790_000_000, 1_790_000_300
PAYLOAD = BOARD.claims(NONCE)
TOKEN = BOARD.token(NONCE)


@dataclass(frozen=True)
class Case:
    """A message, its story, and the outcome: accepted, wanted (a set to be asked for) or a code."""

    story: str
    outcome: str
    evidence: bytes
    path: str = ""
    now: int = ISSUED + 5
    spent: bool = False


def signed(payload: bytes, **changes: Any) -> bytes:
    return cbor(BOARD.envelope(payload, **changes))


def reworded(at: bytes, by: bytes) -> bytes:
    """The payload with one spelling changed, and signed as it then is."""
    assert PAYLOAD.count(at) == 1
    return signed(PAYLOAD.replace(at, by))


def with_set(**changes: Any) -> bytes:
    raw = BOARD.set(**changes)
    return BOARD.bundle(NONCE, cfg=raw)


def twin(token: bytes) -> bytes:
    s = int.from_bytes(token[-32:], "big")
    return token[:-32] + (forge.N - s).to_bytes(32, "big")


def mac0_by_public_key() -> bytes:
    protected = cbor({1: 5, 4: BOARD.key_id, 16: 263})
    signed_by = cbor(["MAC0", protected, b"", PAYLOAD])
    tag = hmac.digest(BOARD.public_key, signed_by, "sha256")
    return cbor(Tag(17, [protected, {}, PAYLOAD, tag]))


HEADER = {1: -7, 4: BOARD.key_id, 16: 263}
UPTIME = head(0, 261) + cbor(4711)
REVERSED = cbor(Raw(b"\xa2" + b"\x0a\x58\x20" + NONCE + b"\x06\x00"))

CASES: dict[str, Case] = {
    # what must be accepted
    "healthy-bundle": Case(
        "an honest P2 board sends its set along", "accepted", BOARD.bundle(NONCE)
    ),
    "healthy-stock": Case("an honest board on stock firmware", "accepted", PLAIN.bundle(NONCE)),
    "healthy-clock": Case(
        "a board that has a clock says the time", "accepted", BOARD.bundle(NONCE, iat=ISSUED + 4)
    ),
    "healthy-wrong-clock": Case(
        "a board whose clock stands at 1970: the nonce decides, not the time",
        "accepted",
        BOARD.bundle(NONCE, iat=0),
    ),
    "set-unknown": Case("the set is not known yet, so it is asked for", "wanted", TOKEN),
    "signature-twin": Case(
        "(r, n - s): anybody can make it from a good token; it must count as the same one",
        "accepted",
        wrap(twin(TOKEN), BOARD.set()),
    ),
    # bytes
    "empty": Case("no body at all", "cbor.truncated", b"", "envelope"),
    "cut-short": Case("the connection broke", "cbor.truncated", TOKEN[:100], "envelope"),
    "cut-by-one": Case("the last byte is missing", "cbor.truncated", TOKEN[:-1], "envelope"),
    "one-byte-more": Case("a byte left over", "cbor.trailing", TOKEN + b"\0", "envelope"),
    "two-tokens": Case("two tokens in one body", "cbor.trailing", TOKEN * 2, "envelope"),
    "too-large": Case("a byte over 16 KiB", "size.limit", bytes(16 * 1024 + 1), "envelope"),
    "json": Case("JSON to the CBOR door", "cbor.truncated", b'{"eat_nonce":"AA"}', "envelope"),
    "long-tag": Case(
        "the tag in two bytes", "cbor.noncanonical", b"\xd8\x12" + TOKEN[1:], "envelope"
    ),
    "indefinite-envelope": Case(
        "an array without a length",
        "cbor.indefinite",
        b"\xd2\x9f" + TOKEN[2:] + b"\xff",
        "envelope",
    ),
    "cycle": Case(
        "a list that holds itself (tags 28 and 29)",
        "cbor.tag",
        bytes.fromhex("d81c81d81d00"),
        "envelope",
    ),
    "deep": Case("nested four hundred deep", "cbor.depth", b"\x81" * 400 + b"\0", "envelope"),
    # envelope
    "no-tag": Case("the bare array", "cose.structure", TOKEN[1:], "envelope"),
    "token-in-token": Case("18(18(...))", "cose.structure", b"\xd2" + TOKEN, "envelope"),
    "mac0-public-key": Case(
        "a MAC made with the public key as its secret: key confusion",
        "cose.algorithm",
        mac0_by_public_key(),
        "protected/alg",
    ),
    "alg-none": Case(
        "no algorithm", "cose.algorithm", signed(PAYLOAD, header=HEADER | {1: 0}), "protected/alg"
    ),
    "alg-unprotected": Case(
        "alg where nobody signs it",
        "cose.header",
        signed(PAYLOAD, header={4: BOARD.key_id, 16: 263}, unprotected={1: -7}),
        "protected/alg",
    ),
    "kid-unprotected": Case(
        "the key id where nobody signs it",
        "cose.header",
        signed(PAYLOAD, header={1: -7, 16: 263}, unprotected={4: BOARD.key_id}),
        "unprotected",
    ),
    "critical-header": Case(
        "a header that must be understood",
        "cose.header",
        signed(PAYLOAD, header=HEADER | {2: [99], 99: 1}),
        "protected",
    ),
    "chain-of-a-stranger": Case(
        "a certificate chain of the sender's own making",
        "cose.header",
        signed(PAYLOAD, unprotected={33: b"der"}),
        "unprotected",
    ),
    "detached-payload": Case(
        "no payload",
        "cose.structure",
        cbor(Tag(18, [cbor(HEADER), {}, None, bytes(64)])),
        "envelope",
    ),
    "two-sets": Case(
        "a bundle with a second claims-set",
        "cose.structure",
        cbor(Tag(602, [cbor(Tag(61, Raw(TOKEN))), {"cfg": BOARD.set(), "x": b""}])),
        "bundle",
    ),
    # trust
    "stranger": Case(
        "a key that was never enrolled", "key.unknown", STRANGER.token(NONCE), "protected/kid"
    ),
    "revoked": Case("a key that was revoked", "key.revoked", REVOKED.token(NONCE), "protected/kid"),
    "bit-of-payload": Case(
        "one bit of the payload turned",
        "sig.bad",
        TOKEN.replace(NONCE, NONCE[:-1] + bytes([NONCE[-1] ^ 1])),
        "signature",
    ),
    "bit-of-signature": Case(
        "one bit of the signature turned",
        "sig.bad",
        TOKEN[:-1] + bytes([TOKEN[-1] ^ 1]),
        "signature",
    ),
    "zero-signature": Case("r and s are zero", "sig.bad", TOKEN[:-64] + bytes(64), "signature"),
    "der-signature": Case(
        "72 bytes, as X.509 has them", "sig.bad", signed(PAYLOAD, signature=bytes(72)), "signature"
    ),
    "signed-for-another-purpose": Case(
        "a signature over another context string",
        "sig.bad",
        signed(PAYLOAD, signature=BOARD.sign(cbor(HEADER), PAYLOAD, "CounterSignature")),
        "signature",
    ),
    "borrowed-kid": Case(
        "a stranger signs under the key id of a known board",
        "sig.bad",
        cbor(STRANGER.envelope(PAYLOAD, header=HEADER)),
        "signature",
    ),
    "noise-signed-badly": Case(
        "noise within, and no signature: nothing of the noise is looked at",
        "sig.bad",
        signed(b"\xff\xff", signature=bytes(range(64))),
        "signature",
    ),
    "impostor": Case(
        "a known board names another one",
        "id.mismatch",
        BOARD.token(NONCE, ueid=OTHER.ueid),
        "claims/ueid",
    ),
    # freshness
    "replay": Case(
        "the answer to another challenge",
        "nonce.replayed",
        BOARD.bundle(nonce_of(2)),
        "claims/nonce",
    ),
    "late": Case(
        "in the second in which it expires", "nonce.expired", TOKEN, "claims/nonce", now=EXPIRES
    ),
    "in-time": Case("a second earlier", "wanted", TOKEN, now=EXPIRES - 1),
    "spent": Case("a challenge answered before", "nonce.spent", TOKEN, "claims/nonce", spent=True),
    "two-nonces": Case(
        "an array of nonces, as RFC 9711 would allow",
        "claim.type",
        BOARD.token([NONCE, nonce_of(2)]),
        "claims/nonce",
    ),
    "short-nonce": Case(
        "a nonce cut to 8 bytes", "claim.range", BOARD.token(NONCE[:8]), "claims/nonce"
    ),
    # meaning
    "signed-noise": Case("noise, well signed", "cbor.malformed", signed(b"\xff"), "claims"),
    "signed-long-number": Case(
        "uptime in a longer head than it needs",
        "cbor.noncanonical",
        reworded(UPTIME, head(0, 261) + b"\x1a\x00\x00\x12\x67"),
        "claims",
    ),
    "signed-float": Case(
        "uptime as a float", "cbor.type", reworded(UPTIME, head(0, 261) + b"\xf9\x6c\x9a"), "claims"
    ),
    "signed-not-a-number": Case(
        "a time that is not a number would never expire",
        "cbor.type",
        signed(b"\xa8\x06\xf9\x7e\x00" + PAYLOAD[1:]),
        "claims",
    ),
    "signed-big-number": Case(
        "uptime as a bignum",
        "cbor.tag",
        reworded(UPTIME, head(0, 261) + b"\xc2\x42\x12\x67"),
        "claims",
    ),
    "signed-twice": Case(
        "the nonce twice: which one counts?",
        "cbor.duplicate",
        signed(b"\xa8\x0a\x58\x20" + nonce_of(2) + PAYLOAD[1:]),
        "claims",
    ),
    "signed-unsorted": Case("keys out of order", "cbor.noncanonical", signed(REVERSED), "claims"),
    "signed-tail": Case(
        "a byte after the claims", "cbor.trailing", signed(PAYLOAD + b"\0"), "claims"
    ),
    "signed-indefinite": Case(
        "a map without a length",
        "cbor.indefinite",
        signed(b"\xbf" + PAYLOAD[1:] + b"\xff"),
        "claims",
    ),
    "negative-uptime": Case(
        "time before the boot", "claim.range", BOARD.token(NONCE, uptime=-1), "claims/uptime_s"
    ),
    "uptime-of-true": Case(
        "true is no number, whatever Python says",
        "claim.type",
        BOARD.token(NONCE, uptime=True),
        "claims/uptime_s",
    ),
    "uptime-beyond-stores": Case(
        "2^63: no database could hold it",
        "claim.range",
        BOARD.token(NONCE, uptime=2**63),
        "claims/uptime_s",
    ),
    "no-boot-seed": Case(
        "a claim left out", "claim.missing", BOARD.token(NONCE, bootseed=DROP), "claims/boot_seed"
    ),
    "own-key-inside": Case(
        "a key in the token (cnf) that would like to be used",
        "claim.unknown",
        BOARD.token(NONCE, extra={8: {1: {1: 2}}}),
        "claims",
    ),
    "other-profile": Case(
        "another profile",
        "profile.unsupported",
        BOARD.token(NONCE, profile=b"\x2a\x03"),
        "claims/profile",
    ),
    # the set
    "set-of-another-day": Case(
        "a set that was not signed", "set.mismatch", wrap(TOKEN, BOARD.set(webrepl_on=True)), "set"
    ),
    "set-names-the-device": Case(
        "a set with a ueid in it: sets are shared and name nobody",
        "claim.unknown",
        BOARD.bundle(NONCE, cfg=forge.claims_set({**BOARD.said, 256: BOARD.ueid})),
        "set",
    ),
    "set-written-backwards": Case(
        "a name with a right-to-left override",
        "claim.range",
        with_set(swname="therm\u202egnp.exe"),
        "set/swname",
    ),
    "set-other-word": Case(
        "a word that is not on the list", "claim.range", with_set(jtag="maybe"), "set/private/jtag"
    ),
    "set-flag-of-one": Case(
        "1 is no boolean", "claim.type", with_set(webrepl_on=1), "set/private/webrepl_on"
    ),
    "set-without-chip": Case(
        "the chip left out", "claim.missing", with_set(chip=DROP), "set/private/chip"
    ),
    "set-component-twice": Case(
        "the app measured twice, with two results",
        "claim.range",
        with_set(
            measurements=[forge.measurement("app", bytes(32)), forge.measurement("app", b"\1" * 32)]
        ),
        "set/measurements/1",
    ),
    "set-component-tail": Case(
        "a byte after an embedded component",
        "cbor.trailing",
        with_set(measurements=[[65001, forge.measurement("app", bytes(32))[1] + b"\0"]]),
        "set/measurements/0",
    ),
}


def known_keys() -> list[dict[str, Any]]:
    return [
        {
            "device": board.name,
            "ueid": board.ueid.hex(),
            "kid": board.key_id.hex(),
            "public_key": board.public_key.hex(),
            "revoked": lifecycle == "revoked",
        }
        for board, lifecycle in ENROLLED.items()
    ]


def facts(case: Case) -> dict[str, Any]:
    return {
        "story": case.story,
        "outcome": case.outcome,
        "path": case.path,
        "now": case.now,
        "challenge": {
            "nonce": NONCE.hex(),
            "issued": ISSUED,
            "expires": EXPIRES,
            "spent": case.spent,
        },
        "sha256": hashlib.sha256(case.evidence).hexdigest(),
    }


def files() -> dict[str, bytes]:
    """Every file of the vectors, by its path under this folder."""
    made = {"keys.json": _text(known_keys())}
    for name, case in CASES.items():
        made[f"{name}/case.json"] = _text(facts(case))
        made[f"{name}/evidence.cbor"] = case.evidence
    return made


def _text(value: Any) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()


def main() -> None:
    for name, content in files().items():
        path = HERE / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main()
