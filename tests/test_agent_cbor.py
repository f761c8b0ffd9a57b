"""The agent's CBOR writer: the examples of RFC 8949, and agreement with an independent reader."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

import agent_support  # noqa: F401
from troth_agent import cbor

# RFC 8949 appendix A, those that our profile can hold
EXAMPLES = [
    (0, "00"),
    (23, "17"),
    (24, "1818"),
    (255, "18ff"),
    (256, "190100"),
    (65535, "19ffff"),
    (65536, "1a00010000"),
    (4294967295, "1affffffff"),
    (4294967296, "1b0000000100000000"),
    (18446744073709551615, "1bffffffffffffffff"),
    (-1, "20"),
    (-1000, "3903e7"),
    (-80001, "3a00013880"),
    (False, "f4"),
    (True, "f5"),
    (None, "f6"),
    (b"", "40"),
    (b"\1\2\3\4", "4401020304"),
    ("", "60"),
    ("ü", "62c3bc"),
    ([1, [2, 3], (4, 5)], "8301820203820405"),
    ({}, "a0"),
    ({"a": 1, "b": [2, 3]}, "a26161016162820203"),
    (cbor.Tag(18, b""), "d240"),
]

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.binary() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.integers(-99999, 99999) | st.text(), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(("value", "wanted"), EXAMPLES, ids=[wanted for _, wanted in EXAMPLES])
def test_an_example_of_the_rfc_is_written_as_the_rfc_writes_it(value: object, wanted: str) -> None:
    assert cbor.encode(value).hex() == wanted


def test_map_keys_stand_in_bytewise_order_not_shortest_first() -> None:
    keys = [256, 10, -1, "z", 24, "aa", 23]
    written = cbor.encode(dict.fromkeys(keys, 0))
    order = [cbor2.dumps(key) for key in cbor2.loads(written)]
    assert order == sorted(order)
    assert cbor.encode({-1: 0, 1000: 0}).hex() == "a21903e8002000"


@given(values)
def test_what_is_written_reads_back_as_it_was(value: object) -> None:
    assert cbor2.loads(cbor.encode(value)) == value


@given(st.dictionaries(st.integers(-99999, 99999) | st.text(), st.integers(), max_size=8))
def test_the_order_of_making_a_map_does_not_show(entries: dict[object, int]) -> None:
    small = {key: value % 100 for key, value in entries.items()}
    backwards = dict(reversed(small.items()))
    assert cbor.encode(small) == cbor.encode(backwards)


@pytest.mark.parametrize("value", [2**64, -(2**64) - 1])
def test_an_integer_over_64_bits_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        cbor.encode(value)


def test_a_float_is_refused() -> None:
    with pytest.raises(TypeError, match="no CBOR"):
        cbor.encode(1.5)
