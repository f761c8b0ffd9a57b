"""A signed record (release, withdrawal, baseline) has one spelling; all others are refused."""

from __future__ import annotations

import random

import pytest

import forge
from attacks import fuzz
from troth.factory.signed import open_record, sign_record
from troth.trouble import Trouble

MAKER = forge.Device(1).private_key
RECORD = sign_record({"version": "1.4.2", "keys": [1, 2], "said": {"x": "y"}}, "release", MAKER)
EMPTY_HEADER = RECORD.index(b"\xa0")  # the unprotected one, an empty map


@pytest.mark.parametrize("empty", [b"\x80", b"\x60", b"\x40", b"\x00", b"\xf4", b"\xf6", b"\xf7"])
def test_an_empty_something_is_no_empty_map(empty: bytes) -> None:
    changed = RECORD[:EMPTY_HEADER] + empty + RECORD[EMPTY_HEADER + 1 :]
    with pytest.raises(Trouble):
        open_record(changed, "release", MAKER.public_key())


def test_noise_and_mutations_are_refused_with_a_code() -> None:
    stream = fuzz.inputs((RECORD,), random.Random(20261123))
    for raw, _ in zip(stream, range(10_000), strict=False):
        if raw != RECORD:
            with pytest.raises(Trouble):
                open_record(raw, "release", MAKER.public_key())
