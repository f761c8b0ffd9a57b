"""Devices in and out of service: what each step asks for, leaves behind, and means for a report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import forge
import house
from troth.cli import root
from troth.core.device import Lifecycle
from troth.fleet.check import check
from troth.fleet.context import Context
from troth.fleet.lifecycle import modify, move, revoke_key
from troth.ingest.outcomes import Judged, TurnedAway
from troth.store import Store
from troth.trouble import Trouble

NOW = house.NOW
BOARD = forge.Device(1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with house.new_store(tmp_path) as made:
        house.enrol(made, BOARD)
        house.enrol(made, forge.Device(2))
        yield made


def lifecycle(store: Store) -> Lifecycle:
    row = store.device(BOARD.name)
    assert row
    return row.lifecycle


def test_out_and_back_with_the_reason_in_the_audit(store: Store) -> None:
    move(store, BOARD.name, "suspend", why="  sent\nto repair ", at=NOW)
    assert lifecycle(store) is Lifecycle.SUSPENDED
    move(store, BOARD.name, "resume", why="repaired", at=NOW + 1)
    assert lifecycle(store) is Lifecycle.ACTIVE
    details = [json.loads(row.detail) for row in store.audit()[-2:]]
    assert details == [
        {"lifecycle": ["active", "suspended"], "why": "sent to repair"},
        {"lifecycle": ["suspended", "active"], "why": "repaired"},
    ]


@pytest.mark.parametrize(
    ("before", "step"),
    [((), "resume"), (("suspend",), "suspend"), (("retire",), "retire"), (("retire",), "resume")],
    ids=lambda said: "-".join(said) if isinstance(said, tuple) else said,
)
def test_a_step_that_leads_nowhere_is_refused(
    store: Store, before: tuple[str, ...], step: str
) -> None:
    for each in before:
        move(store, BOARD.name, each, why="first", at=NOW)
    kept = lifecycle(store)
    with pytest.raises(Trouble) as caught:
        move(store, BOARD.name, step, why="again", at=NOW)
    assert caught.value.code == "device.lifecycle"
    assert lifecycle(store) is kept


@pytest.mark.parametrize("why", ["", " \n", "x" * 501])
def test_no_step_without_a_reason(store: Store, why: str) -> None:
    with pytest.raises(Trouble) as caught:
        move(store, BOARD.name, "retire", why=why, at=NOW)
    assert caught.value.code == "device.why"


def test_a_retired_device_is_counted_no_more_but_found_by_name(store: Store) -> None:
    move(store, BOARD.name, "retire", why="scrapped", at=NOW)
    pipeline = house.pipeline(store)

    def names(**asked: Any) -> list[str]:
        found = check(pipeline.context, house.duties(), now=NOW, **asked)
        return list(found.states)

    pipeline.context.refresh()
    assert names() == ["board-2"]
    assert names(only=BOARD.name) == [BOARD.name]
    challenge = pipeline.challenge()
    outcome = pipeline.submit(challenge.session, BOARD.bundle(challenge.nonce))
    assert isinstance(outcome, Judged)
    assert "ident.enrolled" in [each.duty for each in outcome.verdict.failing]


def test_a_revoked_key_is_believed_no_more(store: Store) -> None:
    pipeline = house.pipeline(store)
    row, kid = revoke_key(store, BOARD.name, why="stolen", at=NOW)
    assert (row.name, kid) == (BOARD.name, BOARD.key_id)
    assert store.audit()[-1].detail == f"{BOARD.key_id.hex()} stolen"
    challenge = pipeline.challenge()
    outcome = pipeline.submit(challenge.session, BOARD.bundle(challenge.nonce))
    assert isinstance(outcome, TurnedAway)
    assert outcome.why.code == "key.revoked"
    with pytest.raises(Trouble) as caught:
        revoke_key(store, BOARD.name, why="", at=NOW)
    assert caught.value.code == "key.none"


def test_as_typed(store: Store, tmp_path: Path) -> None:
    def troth(*said: str) -> dict[str, Any]:
        done = CliRunner().invoke(root, ["--db", store.url, "device", *said, "--json"])
        assert done.exit_code == 0, done.output
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    told = troth("suspend", BOARD.name, "--why", "in a drawer")
    assert (told["schema"], told["before"], told["after"]) == (
        "troth/lifecycle/1",
        "active",
        "suspended",
    )
    assert troth("resume", BOARD.name, "--why", "needed")["after"] == "active"
    assert troth("revoke-key", BOARD.name)["key"] == BOARD.key_id.hex()
    assert troth("retire", BOARD.name, "--why", "scrapped")["after"] == "retired"
    assert troth("show", BOARD.name)["lifecycle"] == "retired"


def test_a_substantial_modification_brings_newer_law_to_an_older_unit(store: Store) -> None:
    sold = store.device(BOARD.name)
    assert sold
    store.change_device(
        sold.id,
        at=NOW,
        own_use=False,
        market="eu",
        product_class="consumer",
        placed_on_market=NOW - 100,
    )
    row = modify(store, BOARD.name, on=NOW - 50, why="another radio", at=NOW)
    unit = Context(store, house.POLICY).unit(row.id)
    assert unit
    assert unit.modified == NOW - 50
    detail = json.loads(store.audit()[-1].detail)
    assert detail == {"modified": [None, NOW - 50], "why": "another radio"}


@pytest.mark.parametrize(("placed", "on"), [(None, NOW), (NOW - 9, NOW - 10), (NOW - 9, NOW + 1)])
def test_a_modification_lies_between_the_sale_and_today(
    store: Store, placed: int | None, on: int
) -> None:
    row = store.device(BOARD.name)
    assert row
    store.change_device(row.id, at=NOW, placed_on_market=placed)
    with pytest.raises(Trouble) as caught:
        modify(store, BOARD.name, on=on, why="another radio", at=NOW)
    assert caught.value.code == "device.modified"


def test_the_command_names_the_day(store: Store) -> None:
    row = store.device(BOARD.name)
    assert row
    store.change_device(row.id, at=NOW, placed_on_market=NOW - 9 * 86_400)
    words = ["device", "modified", BOARD.name, "--on", "2026-11-20", "--why", "another radio"]
    told = CliRunner().invoke(root, ["--db", store.url, *words, "--json"])
    assert json.loads(told.stdout)["modified"] == "2026-11-20T00:00:00Z"
