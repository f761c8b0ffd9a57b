"""The refusals: one tree, one closed list of codes, places that people can find."""

from __future__ import annotations

import re
from pathlib import Path

from troth.core.errors import (
    BadSignature,
    Malformed,
    Rejected,
    Replayed,
    Stale,
    UnknownSigner,
    Unsupported,
)

HOST = Path(__file__).parents[1] / "host" / "troth"
CODES = {
    "size.limit",
    "cbor.truncated",
    "cbor.trailing",
    "cbor.noncanonical",
    "cbor.indefinite",
    "cbor.duplicate",
    "cbor.depth",
    "cbor.items",
    "cbor.tag",
    "cbor.type",
    "cbor.malformed",
    "cose.structure",
    "cose.header",
    "cose.algorithm",
    "key.unknown",
    "key.revoked",
    "sig.bad",
    "id.mismatch",
    "nonce.expired",
    "nonce.spent",
    "nonce.replayed",
    "claim.missing",
    "claim.type",
    "claim.range",
    "claim.unknown",
    "profile.unsupported",
    "set.mismatch",
}
CODE = re.compile(r'"((?:size|cbor|cose|key|sig|id|nonce|claim|profile|set)\.[a-z]+)"')


def test_an_error_says_where_in_one_line() -> None:
    err = Malformed("cbor.trailing", "3 bytes left over", path="claims", offset=17)
    assert str(err) == "claims: 3 bytes left over (byte 17)"
    assert str(Rejected("sig.bad", "the signature does not hold")) == "the signature does not hold"


def test_the_tree_is_the_one_that_callers_may_rely_on() -> None:
    assert all(
        issubclass(kind, Rejected)
        for kind in (Malformed, UnknownSigner, BadSignature, Stale, Replayed)
    )
    assert issubclass(Unsupported, Malformed)
    assert not issubclass(Rejected, (ValueError, TypeError))


def test_the_core_uses_exactly_the_codes_of_the_list() -> None:
    used: set[str] = set()
    for room in ("core", "formats"):
        for file in (HOST / room).glob("*.py"):
            used |= set(
                re.findall(
                    r'"((?:size|cbor|cose|key|sig|id|nonce|claim|profile|set)\.[a-z]+)"',
                    file.read_text(),
                )
            )
    assert used == CODES
