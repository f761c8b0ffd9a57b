"""One device's case in one file: judged again without server or database, and any flip is found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import forge
import house
from standing import NOW, Standing, demo_fleet
from troth.cli import root
from troth.core.device import Profile
from troth.core.keyring import KeyRing
from troth.fleet import bundle
from troth.fleet.bundle import Fate
from troth.trouble import Trouble


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Standing:
    return demo_fleet(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="module")
def case(fleet: Standing) -> bytes:
    return made(fleet, "therm-03")


def made(fleet: Standing, name: str) -> bytes:
    row = fleet.store.device(name)
    assert row is not None
    return bundle.make(fleet.store, fleet.policy, fleet.catalogue, row, now=NOW)


def test_the_same_case_is_the_same_bytes(fleet: Standing, case: bytes) -> None:
    assert made(fleet, "therm-03") == case


def test_every_verdict_is_reproduced_to_the_byte(fleet: Standing, case: bytes) -> None:
    found = bundle.check(case)
    assert found.device == "therm-03"
    assert [each.fate for each in found.verdicts] == [Fate.SAME] * 2
    assert [each.state for each in found.verdicts] == [each.recorded for each in found.verdicts]


def test_each_verdict_lists_every_duty_and_what_decided_it(fleet: Standing, case: bytes) -> None:
    files = bundle._unpack(case)
    verdicts = [json.loads(raw) for name, raw in files.items() if name.startswith("verdicts/")]
    for said in verdicts:
        assert [each["duty"] for each in said["duties"]] == [
            duty.id for duty in fleet.catalogue.duties
        ]
        assert said["catalogue"] == fleet.catalogue.digest
        assert set(said["regimes"]) == {"eu-cra", "eu-red-18031", "troth-baseline"}
        assert len(said["references"]) == len(said["duty_set"]) == 64


def test_nothing_of_other_devices_is_in_it(fleet: Standing, case: bytes) -> None:
    for name, unit in fleet.units.items():
        if name != "therm-03":
            assert unit.row.id.encode() + b'"' not in bundle._unpack(case)["rows.json"]
            assert unit.device.public_key.hex().encode() not in case


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found(case: bytes, at: float, bit: int) -> None:
    place = int(at * len(case))
    bad = bytearray(case)
    bad[place] ^= 1 << bit
    with pytest.raises(Trouble) as caught:
        bundle._unpack(bytes(bad))
    assert caught.value.code == "bundle.altered"


def test_a_verdict_that_was_touched_up_does_not_come_again(case: bytes) -> None:
    files = bundle._unpack(case)
    name = max(name for name in files if name.startswith("verdicts/"))
    files[name] = files[name].replace(b"non-compliant", b"compliant")
    said = json.loads(files["manifest.json"])
    said["files"][name] = bundle._digest(files[name])
    files["manifest.json"] = bundle._json(said)
    assert bundle.check(bundle._pack(files)).verdicts[-1].fate is Fate.OTHER


def test_evidence_under_a_fuse_key_needs_its_master(tmp_path: Path) -> None:
    board = forge.MacDevice(1)
    with house.new_store(tmp_path) as store:
        device = house.enrol(store, board, profile=Profile.P1)
        pipeline = house.pipeline(store)
        challenge = pipeline.challenge()
        pipeline.submit(challenge.session, board.bundle(challenge.nonce))
        row = store.device(device)
        assert row is not None
        ring = KeyRing(lambda: forge.MASTER)
        raw = bundle.make(store, house.POLICY, house.duties(), row, now=house.NOW, ring=ring)
    assert forge.MASTER not in raw
    assert forge.MASTER.hex().encode() not in raw
    (away,), (beside,) = bundle.check(raw).verdicts, bundle.check(raw, ring=ring).verdicts
    assert (away.fate, beside.fate) == (Fate.UNKNOWN, Fate.SAME)


def test_the_commands_make_and_verify_it(fleet: Standing, tmp_path: Path) -> None:
    out = tmp_path / "case.zip"
    run = CliRunner()
    words = ["--db", fleet.url, "evidence", "bundle", "therm-03", "-o", str(out)]
    assert run.invoke(root, words, catch_exceptions=False).exit_code == 0
    said = run.invoke(root, ["evidence", "verify", "--bundle", str(out)], catch_exceptions=False)
    assert "reproduced" in said.output
