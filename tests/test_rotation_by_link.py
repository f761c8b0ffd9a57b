"""A new key over the board's own link: agent and verifier face to face, over TLS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

import house
from agent_server import authority, server_pem
from agent_support import MAC, FakeBoard, plug_in
from line import troth
from test_agent_link import SETTINGS, report
from test_cddl import schema
from test_mqtt import POINT, enrol_agent
from test_rotation import Flash, PowerCut, key_of_board
from test_untrusted import verifier
from troth.ingest.pipeline import Pipeline, wall_clock
from troth.ingest.receipts import registered
from troth.store import Store
from troth_agent import board, keys
from troth_agent.keys import soft
from troth_agent.link import http

UEID = b"\x02" + MAC


@dataclass
class Place:
    """A verifier, and an enrolled board that reports to it."""

    store: Store
    device: str
    pipeline: Pipeline
    flash: Flash
    board: Any

    def report(self) -> None:
        report(self.board, soft.load)

    def ask(self) -> None:
        """The operator wants another key."""
        [row] = (key for key in self.store.keys(self.device) if key.revoked is None)
        self.store.ask_rotation(self.device, row.epoch, at=wall_clock())

    def in_force(self) -> list[bytes]:
        return [key.kid for key in self.store.keys(self.device) if key.revoked is None]

    def epochs(self) -> list[int]:
        return [row.epoch for row in reversed(self.store.evidences(self.device))]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr("time.sleep_ms", lambda ms: None)
    monkeypatch.setattr("gc.collect", lambda: 0)
    fake, flash, ca = plug_in(FakeBoard()), Flash(), authority()
    fake.nvs = flash
    flash["troth", "tls"] = 13
    said = {"signer": "soft", "receipt_key": POINT.hex()}
    monkeypatch.setattr(keys, "_settings", lambda: said)
    (tmp_path / "ca.der").write_bytes(ca.der)
    with house.new_store(tmp_path) as store:
        device = enrol_agent(store)
        pipeline = house.pipeline(store, clock=wall_clock)
        with verifier(pipeline, server_pem(ca, tmp_path)) as url:
            here = board.Board(SETTINGS | {"url": url}, str(tmp_path))
            yield Place(store, device, pipeline, flash, here)


def test_a_board_whose_operator_wants_it_takes_another_key(place: Place) -> None:
    old = key_of_board().kid
    place.report()
    assert key_of_board().kid == old, "nobody asked"
    place.ask()
    place.report()
    place.report()
    assert place.in_force() == [key_of_board().kid] != [old]
    assert place.epochs() == [1, 2, 2]
    assert not place.store.rotations(), "a report under the new key ends it"
    assert [leaf.actor for leaf in place.store.audit() if leaf.action == "key.rotated"] == ["board"]


def test_a_plug_or_a_cable_pulled_anywhere_costs_no_report(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, left = http.Link.ask, [10_000]

    def ask(self: http.Link, *words: Any) -> Iterator[Any]:
        """Cut off before it is asked, or before the answer is there."""
        for step in ("sent", "answered"):
            left[0] -= 1
            if left[0] < 0:
                raise OSError(104, step)
            if step == "sent":
                said = yield from whole(self, *words)
        return said

    monkeypatch.setattr(http.Link, "ask", ask)
    cuts = 0
    for pulled in ("plug", "cable"):
        for steps in range(0, 30, 2):
            before = key_of_board().kid
            place.ask()
            if pulled == "plug":
                place.flash.steps_left = steps
            else:
                left[0] = steps
            try:
                place.report()
            except (PowerCut, OSError):
                cuts += 1
            else:
                break
            finally:
                place.flash.steps_left = left[0] = 10_000
            place.report()
            assert place.in_force() == [key_of_board().kid] != [before]
            assert place.store.keys(place.device)[-1].epoch == place.epochs()[-1]
    assert cuts > 5
    assert not place.store.rejections()


def test_nobody_takes_a_key_that_was_not_asked_for(place: Place) -> None:
    old = key_of_board().kid
    place.pipeline.context._turning = {UEID: old}  # as a verifier that is lied to by its memory
    place.report()
    assert (place.in_force(), key_of_board().kid) == ([old], old)
    assert place.epochs() == [1], "the report comes all the same"


@pytest.mark.parametrize("pinned", [None, "00" * 64], ids=["no", "another"])
def test_without_the_verifiers_own_receipt_the_old_key_stays(
    pinned: str | None, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    old = key_of_board().kid
    right = keys._settings()["receipt_key"]
    keys._settings()["receipt_key"] = pinned
    place.ask()
    place.report()
    assert key_of_board().kid == old
    code = "receipt.bad" if pinned else "settings.receipt_key"
    assert f"troth: [{code}]" in capsys.readouterr().out
    keys._settings()["receipt_key"] = right
    place.report()
    assert place.in_force() == [key_of_board().kid] != [old]


def test_the_wish_is_told_and_can_be_withdrawn(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "troth.toml").write_text(f'[store]\ndb = "{place.store.url}"\n')
    kid = place.in_force()[0].hex()

    def wanted() -> bool:
        said = troth(tmp_path, "device", "show", "agent")
        return bool(said["keys"][0]["wanted"])

    said = troth(tmp_path, "device", "rotate-key", "agent")
    assert (said["key"], said["wanted"], wanted()) == (kid, True, True)
    with httpx.Client(verify=False) as client:
        place.pipeline.context.refresh()
        url = f"{place.board.settings['url']}/challenge-response/v1/newSession"
        assert client.post(url, params={"ueid": UEID.hex()}).json()["rotate"] == kid
        assert "rotate" not in client.post(url).json()
    troth(tmp_path, "device", "rotate-key", "agent", "--withdraw")
    assert not wanted()
    place.report()
    assert place.in_force()[0].hex() == kid


def test_the_receipt_is_what_the_cddl_says(place: Place) -> None:
    said = registered(place.pipeline.results, UEID, bytes(8), wall_clock())
    schema("receipt").validate_cbor(said)
