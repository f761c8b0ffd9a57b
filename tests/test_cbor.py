"""The strict scanner: one deterministic item or the place where it breaks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import forge
from troth.core.errors import Malformed
from troth.formats import cbor

PEERS = Path(__file__).parents[1] / "../shared/vectors/cbor-appendix-a/appendix_a.json"

KEYS = st.integers(-(2**64), 2**64 - 1) | st.text(max_size=8)
LEAVES = KEYS | st.binary(max_size=40) | st.booleans() | st.none()
ITEMS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,  # so never deeper than the limit
)


@given(ITEMS)
def test_what_was_written_deterministically_is_read_back(item: object) -> None:
    assert cbor.read(forge.cbor(item)) == item


BROKEN = {
    "nothing at all": ("", "cbor.truncated", 0),
    "a number and one more": ("0102", "cbor.trailing", 1),
    "two maps": ("a0a0", "cbor.trailing", 1),
    "23 in two bytes": ("1817", "cbor.noncanonical", 0),
    "255 in three bytes": ("1900ff", "cbor.noncanonical", 0),
    "65535 in five bytes": ("1a0000ffff", "cbor.noncanonical", 0),
    "2^32 - 1 in nine bytes": ("1b00000000ffffffff", "cbor.noncanonical", 0),
    "a long head on short bytes": ("5801aa", "cbor.noncanonical", 0),
    "a long head on a short array": ("980101", "cbor.noncanonical", 0),
    "keys of a map out of order": ("a202000100", "cbor.noncanonical", 3),
    "shorter keys first, the older order": ("a22000186400", "cbor.noncanonical", 3),
    "text before a number": ("a261610001f5", "cbor.noncanonical", 4),
    "the same key twice": ("a201000100", "cbor.duplicate", 3),
    "the same key twice, apart": ("a3010002000100", "cbor.duplicate", 5),
    "an indefinite array": ("9f01ff", "cbor.indefinite", 0),
    "an indefinite map": ("bf0101ff", "cbor.indefinite", 0),
    "indefinite bytes": ("5f4101ff", "cbor.indefinite", 0),
    "indefinite text": ("7f6161ff", "cbor.indefinite", 0),
    "a reserved head": ("1c", "cbor.malformed", 0),
    "an indefinite number": ("1f", "cbor.malformed", 0),
    "an indefinite tag": ("df00", "cbor.malformed", 0),
    "a break alone": ("ff", "cbor.malformed", 0),
    "a simple value in the long form": ("f814", "cbor.malformed", 0),
    "an unassigned simple value": ("f8ff", "cbor.type", 0),
    "an unassigned short simple value": ("e0", "cbor.type", 0),
    "undefined": ("f7", "cbor.type", 0),
    "a half float": ("f93c00", "cbor.type", 0),
    "a float": ("fa3f800000", "cbor.type", 0),
    "a double": ("fb3ff0000000000000", "cbor.type", 0),
    "not a number": ("f97e00", "cbor.type", 0),
    "a float as a key": ("a1f93c0000", "cbor.type", 1),
    "true as a key": ("a1f500", "cbor.type", 1),
    "bytes as a key": ("a1410100", "cbor.type", 1),
    "an array as a key": ("a18000", "cbor.type", 1),
    "a big number": ("c24101", "cbor.tag", 0),
    "a negative big number": ("c34101", "cbor.tag", 0),
    "a decimal fraction": ("c48221196ab3", "cbor.tag", 0),
    "a shared value": ("d81c80", "cbor.tag", 0),
    "a reference to it": ("d81d00", "cbor.tag", 0),
    "a string reference": ("d81900", "cbor.tag", 0),
    "a string reference namespace": ("d9010080", "cbor.tag", 0),
    "a rational": ("d81e820102", "cbor.tag", 0),
    "a regular expression": ("d8236161", "cbor.tag", 0),
    "a MIME message": ("d8246161", "cbor.tag", 0),
    "a set": ("d9010280", "cbor.tag", 0),
    "a complex number": ("d9a7f8820102", "cbor.tag", 0),
    "bytes that end early": ("4401", "cbor.truncated", 1),
    "a head that ends early": ("19ff", "cbor.truncated", 1),
    "a map without its last value": ("a101", "cbor.truncated", 1),
    "an array of 2^32": ("9b0000000100000000", "cbor.truncated", 9),
    "a map of 2^63": ("bb8000000000000000", "cbor.truncated", 9),
    "bytes of 2^63": ("5b8000000000000000", "cbor.truncated", 9),
    "text that is not UTF-8": ("61ff", "cbor.malformed", 1),
    "overlong UTF-8": ("62c080", "cbor.malformed", 1),
    "half of a surrogate pair": ("63eda080", "cbor.malformed", 1),
    "nested nine deep": ("81" * 9 + "00", "cbor.depth", 9),
    "nested four hundred deep": ("81" * 400 + "00", "cbor.depth", 9),
    "maps nested nine deep": ("a100" * 9 + "00", "cbor.depth", 17),
    "513 items": ("990200" + "00" * 512, "cbor.items", 3),
}


@pytest.mark.parametrize("case", BROKEN)
def test_it_names_the_fault_and_the_byte(case: str) -> None:
    wire, code, offset = BROKEN[case]
    with pytest.raises(Malformed) as refused:
        cbor.read(bytes.fromhex(wire), path="part")
    assert (refused.value.code, refused.value.offset) == (code, offset)
    assert refused.value.path == "part"


def test_the_bounds_themselves_are_allowed() -> None:
    assert cbor.read(bytes.fromhex("81" * 8 + "00")) == [[[[[[[[0]]]]]]]]
    assert len(cbor.read(bytes.fromhex("9901ff" + "00" * 511))) == 511
    assert cbor.read(bytes.fromhex("1bffffffffffffffff")) == 2**64 - 1
    assert cbor.read(bytes.fromhex("3bffffffffffffffff")) == -(2**64)
    assert len(cbor.read(b"\x59\x3f\xfd" + bytes(cbor.MAX_BYTES - 3))) == cbor.MAX_BYTES - 3


def test_one_byte_too_many_is_refused_before_it_is_read() -> None:
    with pytest.raises(Malformed) as refused:
        cbor.read(bytes.fromhex("5f4161") * 6000)
    assert refused.value.code == "size.limit"


def test_only_the_tags_that_are_expected_pass_and_they_count_as_depth() -> None:
    assert cbor.read(b"\xd2\x80", tags=frozenset([18])) == cbor.Tagged(18, [])
    with pytest.raises(Malformed) as refused:
        cbor.read(b"\xd2" * 9 + b"\x00", tags=frozenset([18]))
    assert refused.value.code == "cbor.depth"


def test_a_peer_may_use_longer_heads_and_another_order_but_nothing_else() -> None:
    assert cbor.read(bytes.fromhex("a202000100"), deterministic=False) == {2: 0, 1: 0}
    assert cbor.read(bytes.fromhex("1817"), deterministic=False) == 23
    for wire in ("a201000100", "9f01ff", "f93c00", "c24101", "0102"):
        with pytest.raises(Malformed):
            cbor.read(bytes.fromhex(wire), deterministic=False)


def _sayable(item: object) -> bool:
    """Whether our subset of CBOR can say it: no floats, integers of at most 64 bits."""
    if isinstance(item, list):
        return all(map(_sayable, item))
    if isinstance(item, dict):
        return all(map(_sayable, item.values()))
    if isinstance(item, int):
        return -(2**64) <= item < 2**64
    return not isinstance(item, float)


@pytest.mark.skipif(not PEERS.exists(), reason="the RFC's examples are not beside this checkout")
def test_of_the_examples_of_rfc_8949_exactly_the_deterministic_ones_are_read() -> None:
    ours = 0
    for example in json.loads(PEERS.read_text()):
        wire, said = bytes.fromhex(example["hex"]), example.get("decoded", 0.0)
        if _sayable(said) and forge.cbor(said) == wire:
            ours += 1
            assert cbor.read(wire) == said, example["hex"]
        elif "decoded" in example:
            with pytest.raises(Malformed):
                cbor.read(wire)
    assert ours >= 30
