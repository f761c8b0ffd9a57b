"""A new key for a board: certified by the old one, proven by itself, safe from a pulled plug."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import forge
import house
from agent_support import MAC, FakeBoard, plug_in
from forge import Tag, cbor
from test_agent_atecc import Bus
from troth.core.device import Lifecycle
from troth.core.errors import Rejected
from troth.core.freshness import Challenge
from troth.core.rotation import KIND, check_rotation
from troth.core.trust import SignKey
from troth.factory.rotation import rotate
from troth.store import DeviceRow, KeyRow, Store
from troth.trouble import Trouble
from troth_agent import Trouble as AgentTrouble
from troth_agent import keys
from troth_agent import rotate as agent
from troth_agent.link import serial

import machine  # isort: skip  (the stand-in of agent_support)

NOW = house.NOW
UEID = b"\x02" + MAC
SIGNERS = ("soft", "atecc608")


class PowerCut(BaseException):
    """Nobody on the board catches it: there is no board any more."""


class Flash(dict[Any, Any]):
    """NVS that may lose power before its next write, or right after it."""

    def __init__(self) -> None:
        super().__init__()
        self.steps_left = 10_000

    def _step(self) -> None:
        self.steps_left -= 1
        if self.steps_left < 0:
            raise PowerCut

    def __setitem__(self, key: Any, value: Any) -> None:
        self._step()
        super().__setitem__(key, value)
        self._step()

    def __delitem__(self, key: Any) -> None:
        self._step()
        super().__delitem__(key)
        self._step()


@pytest.fixture(params=SIGNERS)
def flash(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Flash:
    """An enrolled board with this signer."""
    board = plug_in(FakeBoard())
    board.nvs = Flash()
    bus = Bus()
    monkeypatch.setattr("time.sleep_ms", bus.sleep_ms)
    monkeypatch.setattr(machine, "I2C", lambda *_args, **_kwargs: bus, raising=False)
    monkeypatch.setattr(keys, "_settings", lambda: {"signer": request.param})
    monkeypatch.setattr("gc.collect", lambda: 0)  # a quarter of a second for each, on CPython
    signer, settings = keys.chosen()
    signer.create(settings)
    return board.nvs


def key_of_board() -> Any:
    signer, settings = keys.chosen()
    return signer.load(settings)


def known(key: Any, **changed: Any) -> SignKey:
    return replace(SignKey(key.kid, "d-1", UEID, key.public), **changed)


def challenge(seed: int = 1, ueid: bytes = UEID) -> Challenge:
    return Challenge("s", forge.nonce_of(seed), NOW, NOW + 300, ueid=ueid)


# the agent's side


def test_the_host_believes_what_the_agent_makes(flash: Flash) -> None:
    old = key_of_board()
    raw = agent.message(challenge().nonce)
    assert len(raw) < 500
    found = check_rotation(raw, known(old), challenge(), now=NOW)
    assert found.old == old.kid != found.new
    assert key_of_board().kid == old.kid, "in force only when the host says so"
    agent.adopt(found.new)
    agent.adopt(found.new)
    assert (key_of_board().kid, key_of_board().public) == (found.new, found.public_key)


def test_a_key_that_waits_is_not_made_twice(flash: Flash) -> None:
    old = known(key_of_board())
    said = [
        check_rotation(agent.message(challenge(n).nonce), old, challenge(n), now=NOW)
        for n in (1, 2)
    ]
    assert said[0].new == said[1].new


def test_each_turn_makes_another_key(flash: Flash) -> None:
    seen = {key_of_board().kid}
    for n in range(3):
        old = known(key_of_board())
        found = check_rotation(agent.message(challenge(n).nonce), old, challenge(n), now=NOW)
        agent.adopt(found.new)
        seen.add(found.new)
    assert len(seen) == 4


def test_no_other_key_is_adopted(flash: Flash) -> None:
    agent.message(bytes(32))
    with pytest.raises(AgentTrouble) as told:
        agent.adopt(bytes(8))
    assert told.value.code == "key.other"


def test_a_fuse_key_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_settings", lambda: {"signer": "efuse-hmac"})
    with pytest.raises(AgentTrouble) as told:
        agent.message(bytes(32))
    assert told.value.code == "signer.burned"


# attacks: messages of the forge, honest but for one part

OLD, NEW, OTHER = forge.Device(1), forge.Device(2), forge.Device(3)
HELD = replace(OLD.enrol(), device="d-1")
ASKED = Challenge("s", forge.nonce_of(1), NOW, NOW + 300, ueid=OLD.ueid)


def cose_key(device: forge.Device) -> dict[int, Any]:
    return {1: 2, -1: 1, -2: device.public_key[:32], -3: device.public_key[32:]}


def sealed(by: forge.Device, payload: bytes, **changed: Any) -> bytes:
    header = {1: -7, 4: by.key_id, 16: KIND, **changed.get("header", {})}
    protected = cbor(header)
    return cbor(Tag(18, [protected, {}, payload, by.sign(protected, payload)]))


def made(
    old: forge.Device = OLD,
    new: forge.Device = NEW,
    by: forge.Device | None = None,
    said: dict[Any, Any] | None = None,
    header: dict[Any, Any] | None = None,
) -> bytes:
    claims = {8: {1: cose_key(new)}, 10: ASKED.nonce, 256: OLD.ueid, **(said or {})}
    voucher = sealed(old, cbor(claims), header=header or {})
    return sealed(by or new, voucher)


def test_an_honest_message_of_the_forge_is_believed() -> None:
    found = check_rotation(made(), HELD, ASKED, now=NOW)
    assert (found.old, found.new, found.public_key) == (OLD.key_id, NEW.key_id, NEW.public_key)


ATTACKS: dict[str, tuple[bytes, str]] = {
    "vouched for by a stranger": (made(old=OTHER), "key.unknown"),
    "vouched for by the new key itself": (made(old=NEW), "key.unknown"),
    "a stranger's signature under the old key's name": (
        made(old=OTHER, header={4: OLD.key_id}),
        "sig.bad",
    ),
    "not signed by the new key": (made(by=OTHER), "sig.bad"),
    "the old key is its own heir": (made(new=OLD), "sig.bad"),
    "another challenge": (made(said={10: forge.nonce_of(2)}), "nonce.replayed"),
    "another board's name": (made(said={256: OTHER.ueid}), "id.mismatch"),
    "the voucher alone": (sealed(OLD, cbor({8: {1: cose_key(NEW)}})), "cose.structure"),
    "evidence for a voucher": (sealed(NEW, OLD.token(ASKED.nonce)), "cose.header"),
    "a voucher of another kind": (made(header={16: 263}), "cose.header"),
    "another algorithm": (made(header={1: 5}), "cose.algorithm"),
    "a private key inside": (made(said={8: {1: {**cose_key(NEW), -4: bytes(32)}}}), "claim.type"),
    "no point": (made(said={8: {1: {**cose_key(NEW), -2: bytes(32)}}}), "claim.range"),
    "more than is asked": (made(said={6: NOW}), "claim.unknown"),
    "bytes behind it": (made() + b"\0", "cbor.trailing"),
    "too long": (bytes(641), "size.limit"),
}


@pytest.mark.parametrize(("raw", "code"), ATTACKS.values(), ids=list(ATTACKS))
def test_it_is_refused(raw: bytes, code: str) -> None:
    with pytest.raises(Rejected) as told:
        check_rotation(raw, HELD, ASKED, now=NOW)
    assert told.value.code == code


@pytest.mark.parametrize(
    ("held", "asked", "now", "code"),
    [
        (replace(HELD, revoked=True), ASKED, NOW, "key.revoked"),
        (HELD, replace(ASKED, spent=True), NOW, "nonce.spent"),
        (HELD, ASKED, NOW + 300, "nonce.expired"),
        (HELD, replace(ASKED, ueid=OTHER.ueid), NOW, "nonce.replayed"),
    ],
    ids=["a revoked key", "a spent challenge", "too late", "drawn for another board"],
)
def test_an_honest_message_at_the_wrong_time_is_refused(
    held: SignKey, asked: Challenge, now: int, code: str
) -> None:
    with pytest.raises(Rejected) as told:
        check_rotation(made(), held, asked, now=now)
    assert told.value.code == code


HONEST = made()


@given(st.binary(max_size=700) | st.integers(0, len(HONEST) * 8 - 1))
def test_noise_and_any_flipped_bit_are_refused_by_code(noise: bytes | int) -> None:
    if isinstance(noise, int):
        raw = bytearray(HONEST)
        raw[noise // 8] ^= 1 << noise % 8
        noise = bytes(raw)
    with pytest.raises(Rejected):
        check_rotation(noise, HELD, ASKED, now=NOW)


# both sides, and a plug that is pulled anywhere


class Line:
    """The serial line: the agent's own words, in this process."""

    port = "P"

    def __init__(self, capsys: pytest.CaptureFixture[str], mac: bytes = MAC) -> None:
        self._capsys, self._mac = capsys, mac
        self.calls_left = 10_000

    def agent(self, call: str) -> dict[str, Any]:
        self.calls_left -= 1
        if self.calls_left < 0:
            raise Trouble("board.unplugged", "gone")
        name, word = call.rstrip(")").split("(")
        if name == "identify":
            return {"mac": self._mac.hex(), "kid": key_of_board().kid.hex()}
        try:
            getattr(serial, name)(word.strip("'"))
        except PowerCut:
            raise Trouble("board.unplugged", "gone") from None
        said = json.loads(self._capsys.readouterr().out.removeprefix("troth: "))
        if "error" in said:
            raise Trouble(f"agent.{said['error']}", said["text"])
        return dict(said)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with house.new_store(tmp_path) as opened:
        yield opened


def registered(store: Store) -> DeviceRow:
    key = key_of_board()
    row = DeviceRow("d-1", "one", UEID.hex(), MAC.hex(), None, "esp32c3", Lifecycle.ACTIVE)
    store.enroll(row, KeyRow(key.kid, "d-1", UEID.hex(), key.public), at=NOW)
    return row


def in_force(store: Store) -> list[bytes]:
    return [key.kid for key in store.keys("d-1") if key.revoked is None]


def turn(line: Line, row: DeviceRow, store: Store) -> Any:
    return rotate(line, row, store, house.pipeline(store), at=NOW)  # type: ignore[arg-type]


def test_the_registry_follows_in_one_step(
    flash: Flash, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    row, old = registered(store), key_of_board().kid
    done = turn(Line(capsys), row, store)
    assert (done.old, done.new, done.finished) == (old, key_of_board().kid, False)
    assert in_force(store) == [done.new]
    assert [key.epoch for key in store.keys("d-1")] == [1, 2]
    leaf = next(leaf for leaf in store.audit() if leaf.action == "key.rotated")
    was, now, message = leaf.detail.split()
    assert (was, now) == (old.hex(), done.new.hex())
    assert base64.b64decode(message)[:1] == b"\xd2"


def test_a_plug_pulled_anywhere_leaves_a_key_and_the_same_command_ends_it(
    flash: Flash, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    row, cuts = registered(store), []
    for kind in ("write", "call"):
        for steps in range(20):
            line, before = Line(capsys), key_of_board().kid
            if kind == "write":
                flash.steps_left = steps
            else:
                line.calls_left = steps
            try:
                turn(line, row, store)
            except Trouble as err:
                cuts.append(err.code)
            else:
                break
            flash.steps_left = 10_000
            key = key_of_board()
            assert key.sign(b"it works")
            assert key.kid in {before, *in_force(store)}
            turn(Line(capsys), row, store)
            assert in_force(store) == [key_of_board().kid] != [before]
        flash.steps_left = 10_000
    assert set(cuts) == {"board.unplugged"}
    assert len(cuts) > 4


def test_a_copy_of_the_board_cannot_take_another_key(
    flash: Flash, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    row, copy = registered(store), dict(flash)
    turn(Line(capsys), row, store)
    flash.clear()
    flash.update(copy)
    with pytest.raises(Trouble) as told:
        turn(Line(capsys), row, store)
    assert told.value.code == "key.fork"
    assert len(in_force(store)) == 1


def test_another_board_on_the_port_is_told(
    flash: Flash, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    row = registered(store)
    with pytest.raises(Trouble) as told:
        turn(Line(capsys, mac=bytes(6)), row, store)
    assert told.value.code == "id.mismatch"


def test_a_board_with_a_key_that_nobody_knows_is_told(
    flash: Flash, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    row = registered(store)
    store.add_key(KeyRow(OTHER.key_id, "d-1", UEID.hex(), OTHER.public_key), at=NOW)
    store.revoke_key(OTHER.key_id, at=NOW)
    with pytest.raises(Trouble) as told:
        turn(Line(capsys), row, store)
    assert told.value.code == "key.none"


def test_two_runs_at_once_do_not_both_win(flash: Flash, store: Store) -> None:
    row, old = registered(store), key_of_board()
    asked = house.pipeline(store).challenge(UEID)
    store.rotate_key(
        KeyRow(NEW.key_id, row.id, row.ueid, NEW.public_key), old.kid, asked.session, b"1",
        at=NOW, actor="line",
    )  # fmt: skip
    for kid, session, code in (
        (old.kid, asked.session, "key.fork"),
        (NEW.key_id, asked.session, "nonce.spent"),
    ):
        with pytest.raises(Trouble) as told:
            store.rotate_key(
                KeyRow(OTHER.key_id, row.id, row.ueid, OTHER.public_key), kid, session, b"2",
                at=NOW, actor="line",
            )  # fmt: skip
        assert told.value.code == code
    assert in_force(store) == [NEW.key_id]


def test_a_fuse_key_is_refused_before_the_board_is_asked(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    board = forge.MacDevice(1)
    house.enrol(store, board)
    row = store.device(board.ueid.hex())
    assert row is not None

    class Said:
        port = "P"

        def agent(self, call: str) -> dict[str, Any]:
            assert call == "identify()"
            return {"mac": row.mac, "kid": board.key_id.hex()}

    with pytest.raises(Trouble) as told:
        turn(Said(), row, store)  # type: ignore[arg-type]
    assert told.value.code == "key.burned"
