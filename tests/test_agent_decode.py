"""Hostile bytes against the agent: whatever a server or a broker sends is read, or is a Trouble."""

import contextlib
import io
import subprocess
from collections.abc import Callable

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent_support import AGENT
from emulator import vm
from troth_agent import Trouble, decode, receipt
from troth_agent.link import apart

KEYS = st.integers(0, 2**63) | st.text(max_size=12)
LEAVES = st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=64) | st.text(max_size=20)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)


def depth(tree: object) -> int:
    if isinstance(tree, dict):
        return 1 + max((depth(each) for each in tree.values()), default=0)
    if isinstance(tree, list):
        return 1 + max((depth(each) for each in tree), default=0)
    return 0


def deterministic(tree: object) -> bytes:
    """RFC 8949 section 4.2.1, by an encoder that is not the agent's."""
    if isinstance(tree, dict):
        rows = sorted((deterministic(key), deterministic(value)) for key, value in tree.items())
        return bytes([0xA0 + len(rows)]) + b"".join(key + value for key, value in rows)
    if isinstance(tree, list):
        return bytes([0x80 + len(tree)]) + b"".join(map(deterministic, tree))
    return cbor2.dumps(tree)


@given(TREES)
def test_what_is_said_properly_is_read(tree: object) -> None:
    if depth(tree) <= 3:
        assert decode.item(deterministic(tree)) == tree


# the entries of a strict reader's list, each by its name
HOSTILE = {
    "nothing": b"",
    "a head cut short": b"\x19\x01",
    "text cut short": b"\x65abc",
    "a list cut short": b"\x82\x01",
    "an entry without a value": b"\xa1\x01",
    "bytes left over": b"\x01\x01",
    "a head of two bytes where one does": b"\x18\x01",
    "a head of eight bytes where four do": b"\x1b\0\0\0\0\xff\xff\xff\xff",
    "an indefinite list": b"\x9f\x01\xff",
    "indefinite bytes": b"\x5f\x41a\xff",
    "an indefinite map": b"\xbf\x01\x01\xff",
    "a break alone": b"\xff",
    "a reserved head": b"\x1c",
    "a key twice": b"\xa2\x01\x01\x01\x02",
    "keys out of order": b"\xa2\x02\x01\x01\x01",
    "a list as a key": b"\xa1\x80\x01",
    "a tag": b"\xc1\x01",
    "a float": b"\xf9\x3c\x00",
    "true": b"\xf5",
    "null": b"\xf6",
    "text that is no UTF-8": b"\x62\xff\xff",
    "depth": b"\x81" * 40 + b"\x01",
    "as many items as there are": b"\x9b" + b"\xff" * 8,
    "more bytes than there are": b"\x5b" + b"\xff" * 8,
    "a large map": b"\xb8\x40" + b"".join(bytes((0x18, 24 + i, 0)) for i in range(64)),
    "more than a kilobyte": b"\x59\x04\x00" + bytes(1024),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_what_is_not_is_a_trouble(data: bytes) -> None:
    with pytest.raises(Trouble) as trouble:
        decode.item(data)
    assert trouble.value.code == "link.cbor"


def trouble_of(read: Callable[[bytes], object], data: bytes) -> str | None:
    try:
        read(data)
    except Trouble as err:
        return str(err.code)
    return None


def read_or_trouble(data: bytes) -> None:
    for read in (
        decode.item,
        decode.epoch,
        decode.answer,
        lambda data: receipt.read(data, bytes(range(64)), bytes(7)),
    ):
        code = trouble_of(read, data)
        assert code in (None, "link.cbor", "receipt.bad")


@given(st.binary(max_size=200))
@example(b"\xd2" + b"\x84" * 30)
def test_noise_is_read_or_a_trouble(data: bytes) -> None:
    read_or_trouble(data)
    read_or_trouble(b"\xd2" + data)


@given(TREES)
def test_any_tree_in_their_place_is_a_trouble_at_most(tree: object) -> None:
    read_or_trouble(deterministic(tree))
    read_or_trouble(b"\xd2" + deterministic(tree))


@pytest.mark.parametrize("code", ["\x1b[2J", "a" * 33, "UPPER", "new\nline", 7, b"sig.bad"])
def test_a_word_that_is_not_ours_is_not_printed(code: object) -> None:
    said = deterministic({"code": code, "status": 2})
    assert decode.answer(said) == (2, "")


def test_an_answer_has_a_status_and_perhaps_a_word() -> None:
    assert decode.answer(deterministic({"status": 2, "code": "key.unknown"})) == (2, "key.unknown")
    assert decode.answer(deterministic({"status": 1, "wanted": [bytes(32)]})) == (1, "")


def test_an_epoch_has_a_handle_and_its_times() -> None:
    handle = bytes(range(32))
    assert decode.epoch(deterministic({4: 9, 6: 5, 10: handle})) == (handle, 5, 9)
    for wrong in ({4: 5, 6: 9, 10: handle}, {4: 9, 6: 5, 10: bytes(31)}, {4: 9, 6: 5}, [1]):
        with pytest.raises(Trouble):
            decode.epoch(deterministic(wrong))


class Wire:
    """A server's bytes, and every other time none yet."""

    def __init__(self, data: bytes) -> None:
        self._data, self._turn = io.BytesIO(data), 0
        self.write = len

    def read(self, size: int) -> bytes | None:
        self._turn += 1
        return self._data.read(size) if self._turn % 2 else None

    def readline(self, size: int) -> bytes | None:
        self._turn += 1
        return self._data.readline(size) if self._turn % 2 else None


LINES = st.lists(
    st.sampled_from([b"Content-Length: 5", b"Location: x", b"Retry-After: 9", b"A: b", b":", b""])
    | st.binary(max_size=40),
    max_size=8,
).map(b"\r\n".join)


@given(st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 429 x\r\n"]), LINES, st.binary())
def test_any_reply_is_read_or_a_trouble(start: bytes, lines: bytes, body: bytes) -> None:
    wire = Wire(start + lines + b"\r\n\r\n" + body)
    link = apart.Link((wire, wire), "x", "", "02")
    for steps in (link.epoch(), link.challenge(), link.deliver(b"\xd2")):
        with contextlib.suppress(Trouble):
            for _ in steps:
                pass


VM = """
from troth_agent import Trouble, decode, receipt
READERS = (decode.item, decode.epoch, decode.answer, lambda data: receipt.read(data, b"", b""))
for data in HOSTILE:
    for read in READERS:
        try:
            read(data)
            print("read", data)
        except Trouble:
            pass
print("all")
"""


@pytest.mark.vm
def test_the_vm_finds_the_same_troubles(machine: vm.Vm) -> None:
    heap = f"heapsize={112 * 1024 * machine.heap_factor}"
    start = f"import sys\nsys.path[:] = [{str(AGENT)!r}]\nHOSTILE = {list(HOSTILE.values())!r}\n"
    argv = [*machine.argv, "-X", heap, "-c", start + VM]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("all\n", "")
