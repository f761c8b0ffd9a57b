"""What the store promises of itself: durability asserted, history kept, one key one owner."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect

import forge
import house
from troth.core.device import Lifecycle
from troth.core.duties import Appraisal, Assurance, Outcome, Party
from troth.core.reference import Statement
from troth.store import DeviceRow, KeyRow, Rules, Store, engine, intervals, migrate, schema
from troth.trouble import Trouble

NOW = house.NOW


@pytest.fixture
def device(store: Store) -> str:
    return house.enrol(store, forge.Device(1))


def test_a_store_that_is_not_there_is_not_made_by_accident(tmp_path: Path) -> None:
    with pytest.raises(Trouble) as caught:
        Store.open(f"sqlite:///{tmp_path / 'no.db'}")
    assert (caught.value.code, caught.value.fix) == ("store.missing", "troth init")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("sqlite://", "store.unsafe"),
        ("sqlite:///:memory:", "store.unsafe"),
        ("mysql://host/db", "store.url"),
        ("nonsense", "store.url"),
    ],
)
def test_what_cannot_be_durable_is_refused(url: str, code: str) -> None:
    with pytest.raises(Trouble) as caught:
        Store.open(url, create=True)
    assert caught.value.code == code


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "troth.db"
    path.write_text("this is a letter, not a database " * 100)
    with pytest.raises(Trouble) as caught:
        Store.open(f"sqlite:///{path}")
    assert caught.value.code == "store.unreadable"


def test_every_connection_keeps_the_promises(store: Store) -> None:
    for side in (store._engines.read, store._engines.write):
        with side.connect() as conn:
            said = {name: conn.exec_driver_sql(f"PRAGMA {name}").scalar() for name in PROMISES}
        assert said == PROMISES


PROMISES = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_a_database_that_breaks_a_promise_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(engine, "_PROMISES", {"synchronous": 3})
    with pytest.raises(Trouble) as caught:
        house.new_store(tmp_path)
    assert caught.value.code == "store.unsafe"


def test_a_full_disk_is_told_though_a_small_change_still_fits(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store.can_write()
    monkeypatch.setattr(engine, "ROOM", 2**80)
    assert not store.can_write()


def test_the_newest_script_is_the_head_that_we_look_for() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate.SCRIPTS))
    assert ScriptDirectory.from_config(config).get_current_head() == migrate.HEAD


def test_the_scripts_make_the_schema_that_we_define(store: Store, tmp_path: Path) -> None:
    defined = create_engine(f"sqlite:///{tmp_path / 'defined.db'}")
    schema.metadata.create_all(defined)
    made, wanted = inspect(store._engines.read), inspect(defined)
    tables = set(wanted.get_table_names())
    assert set(made.get_table_names()) == tables | {"alembic_version"}
    for table in tables:
        for ask in ("get_columns", "get_indexes", "get_foreign_keys", "get_unique_constraints"):
            assert told(getattr(made, ask)(table)) == told(getattr(wanted, ask)(table))


def told(items: list[object]) -> list[str]:
    return sorted(re.sub(r" at 0x[0-9a-f]+", "", str(item)) for item in items)


def test_a_store_of_a_newer_troth_is_refused(store: Store, tmp_path: Path) -> None:
    url = store.url
    store.close()
    with sqlite3.connect(tmp_path / "troth.db") as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Trouble) as caught:
        Store.open(url)
    assert caught.value.code == "store.newer"


def filled(store: Store) -> None:
    board = forge.Device(2)
    house.enrol(store, board)
    store.add_release(house.release(board), b"signed", at=NOW)
    store.withdraw_release(house.release(board).id, b"signed too", at=NOW)
    store.add_baseline("model", house.MODEL, "ab" * 32, b"signed", at=NOW)
    pipeline = house.pipeline(store)
    for raw in (board.bundle, forge.Device(3).bundle):
        challenge = pipeline.challenge()
        pipeline.submit(challenge.session, raw(challenge.nonce))
    store.remember_judged(Rules("cd" * 32, "{}"), 7, at=NOW)


def test_the_rules_by_which_everybody_was_judged_are_told_for_any_moment(store: Store) -> None:
    first, second = Rules("ab" * 32, "{}"), Rules("cd" * 32, "{}")
    for at, rules, generation in ((10, first, 1), (20, first, 2), (30, second, 2), (40, first, 3)):
        store.remember_judged(rules, generation, at=at)
    assert [(row.at, row.rules) for row in store.judged()] == [
        (40, first),
        (30, second),
        (10, first),
    ]
    assert [row.generation for row in store.judged()] == [3, 2, 2]
    assert store.judged(29)[0].rules == first
    assert store.judged(9) == ()


GROWING = (
    "provisionings",
    "releases",
    "withdrawals",
    "statements",
    "baselines",
    "claims_sets",
    "evidence",
    "rejections",
    "verdicts",
    "states",
    "sheets",
    "holdings",
    "duty_sets",
    "judged",
    "audit",
)


@pytest.mark.parametrize("table", GROWING)
def test_history_is_never_overwritten_even_by_hand(
    table: str, store: Store, tmp_path: Path
) -> None:
    filled(store)
    column = schema.metadata.tables[table].columns.keys()[1]
    with sqlite3.connect(tmp_path / "troth.db") as raw:
        assert raw.execute(f"SELECT count(*) FROM {table}").fetchone()[0] > 0
        for change in (f"DELETE FROM {table}", f"UPDATE {table} SET \"{column}\" = 'x'"):
            with pytest.raises(sqlite3.IntegrityError, match="never overwritten"):
                raw.execute(change)


def test_an_interval_is_closed_once(store: Store, tmp_path: Path) -> None:
    filled(store)
    with sqlite3.connect(tmp_path / "troth.db") as raw:
        raw.execute('UPDATE states SET "to" = 1 WHERE id = 1')
        with pytest.raises(sqlite3.IntegrityError, match="never overwritten"):
            raw.execute('UPDATE states SET "to" = 2 WHERE id = 1')


def test_a_changed_leaf_breaks_the_audit_chain(store: Store, tmp_path: Path) -> None:
    filled(store)
    assert store.audit_breaks() == ()
    with sqlite3.connect(tmp_path / "troth.db") as raw:
        raw.execute("DROP TRIGGER audit_no_update")
        raw.execute("UPDATE audit SET detail = 'nothing happened' WHERE id = 3")
    assert store.audit_breaks() == (3,)


@pytest.mark.parametrize("ref", ["id", "name", "ueid", "mac", "dashed"])
def test_a_device_is_found_by_any_of_its_names(ref: str, store: Store, device: str) -> None:
    row = store.device(device)
    refs = {
        "id": row.id,
        "name": row.name,
        "ueid": row.ueid.upper(),
        "mac": row.mac,
        "dashed": ":".join(row.mac[i : i + 2] for i in range(0, 12, 2)).upper(),
    }
    assert store.device(refs[ref]) == row
    assert store.device("nobody") is None


def another(store: Store, **changes: object) -> DeviceRow:
    first = store.devices()[0]
    made = replace(
        first, id=store.new_device_id(), name="other", ueid="02" + "ab" * 6, mac="ab" * 6
    )
    return replace(made, **changes)


@pytest.mark.parametrize("same", ["name", "ueid", "mac"])
def test_no_two_devices_share_a_name(same: str, store: Store, device: str) -> None:
    first = store.devices()[0]
    row = another(store, **{same: getattr(first, same)})
    key = KeyRow(b"12345678", row.id, row.ueid, bytes(64))
    with pytest.raises(Trouble) as caught:
        store.enroll(row, key, at=NOW)
    assert caught.value.code == "device.duplicate"
    assert store.devices() == (first,)


def test_no_two_devices_share_a_key(store: Store, device: str) -> None:
    taken = store.keys(device)[0]
    row = another(store)
    with pytest.raises(Trouble) as caught:
        store.enroll(row, replace(taken, kid=b"12345678", device=row.id), at=NOW)
    assert caught.value.code == "key.duplicate"
    assert len(store.devices()) == 1


def test_a_new_key_opens_an_epoch_and_revokes_the_old(store: Store, device: str) -> None:
    board = forge.Device(8)
    made = store.add_key(KeyRow(board.key_id, device, "", board.public_key), at=NOW + 5)
    assert made.epoch == 2
    old, new = store.keys(device)
    assert (old.revoked, new.revoked) == (NOW + 5, None)
    assert store.owners(device) == (1, 1)
    store.revoke_key(new.kid, at=NOW + 6)
    assert store.owners(device) == (1, 1)  # nobody else's for that: no fault of its maker


def test_changes_are_audited_and_told_to_every_cache(store: Store, device: str) -> None:
    before = store.generation()
    changed = store.change_device(device, at=NOW, lifecycle=Lifecycle.RETIRED, tags=("lab",))
    assert (changed.lifecycle, changed.tags) == (Lifecycle.RETIRED, ("lab",))
    assert store.device(device) == changed
    assert store.generation() > before
    assert "retired" in store.audit()[-1].detail
    with pytest.raises(ValueError, match="ueid"):
        store.change_device(device, at=NOW, ueid="00")


def test_a_release_comes_back_as_it_went_in(store: Store) -> None:
    made = house.release(forge.Device(1))
    store.add_release(made, b"signed", at=NOW)
    assert store.releases(made.model, made.chip)[0].release == made
    assert store.release(made.id[:8]).record == b"signed"
    store.withdraw_release(made.id, b"gone", at=NOW + 9)
    assert store.release(made.id).release == replace(made, withdrawn=NOW + 9)
    for again, code in ((made.id, "release.withdrawn"), ("f" * 64, "release.unknown")):
        with pytest.raises(Trouble) as caught:
            store.withdraw_release(again, b"gone", at=NOW)
        assert caught.value.code == code
    with pytest.raises(Trouble) as caught:
        store.add_release(made, b"signed", at=NOW)
    assert caught.value.code == "release.duplicate"


def test_the_latest_end_of_support_ever_stated_is_remembered(store: Store) -> None:
    for end in (300, 500, 400):
        store.add_statement("M", Statement(support_end=end, markets=("eu",)), b"{}", at=NOW)
    assert store.statement("M") == Statement(support_end=400, markets=("eu",))
    assert store.support_end_max_seen("M") == 500
    assert store.support_end_max_seen("N") is None


def test_baselines_are_found_for_their_device_and_model(store: Store) -> None:
    for scope, subject in (("model", "M"), ("device", "d-1"), ("device", "d-2")):
        store.add_baseline(scope, subject, "ab" * 32, b"signed", at=NOW)
    found = store.baselines("d-1", "M")
    assert [(row.scope, row.subject) for row in found] == [("model", "M"), ("device", "d-1")]
    assert len(store.baselines(None, None)) == 3


def test_whoever_owes_it_the_reason_is_told_anew_with_another_set() -> None:
    duty = house.duties().duties[0]
    held = Appraisal(
        duty.id,
        duty.subject,
        Outcome.NOT_MET,
        None,
        "so it is",
        Assurance.SOFTWARE,
        Party.MAKER,
        "shipped so",
        "mend it",
        None,
    )
    other = replace(held, owed_because="the line's record shows it")
    assert intervals._differs(held, other, reworded=True)
    assert not intervals._differs(held, other, reworded=False)
