"""A digest is 32 bytes of the device's own choosing: whoever opens it for show must survive it."""

from __future__ import annotations

import pytest

import forge
from forge import nonce_of
from troth.core.verify import attributed, described, parse_evidence
from troth.fleet.diag import diag

BOARD = forge.Device(1)
FILL = b"\x58\x18" + bytes(24)
DIGESTS = {
    "a list that holds itself": bytes.fromhex("d81c82d81d00") + FILL,
    "a bad regular expression": bytes.fromhex("d823781c") + b"(" * 28,
    "a huge decimal": bytes.fromhex("c4821a7fffffff5818") + bytes(23),
    "a big number": bytes.fromhex("c2581d") + b"\xff" * 29,
    "thirty-one lists": b"\x81" * 31 + b"\x80",
}


@pytest.mark.parametrize("case", DIGESTS)
def test_it_is_accepted_as_a_digest_and_shown_as_one(case: str) -> None:
    digest = DIGESTS[case]
    assert len(digest) == 32
    raw = BOARD.bundle(nonce_of(1), cfg=BOARD.set(cfg_digest=digest))
    claims_set = described(attributed(parse_evidence(raw), BOARD.enrol()), None)
    assert claims_set is not None
    assert claims_set.claims.cfg_digest == digest.hex()
    assert digest.hex() in diag(raw)
