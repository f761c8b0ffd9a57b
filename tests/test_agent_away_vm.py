"""On the VM: a spool whose power goes, a week away, and an application beside the agent."""

from pathlib import Path

import pytest

from agent_server import authority, complete, server_pem, serving, session
from emulator import vm
from vm_scripts import run

pytestmark = pytest.mark.vm


def test_power_that_goes_at_any_flash_operation_leaves_the_old_ring_or_the_new(
    machine: vm.Vm,
) -> None:
    seen = run(machine, "power_loss.py", 4_000_000)
    assert set(seen) == {"first", "next", "full", "free", "demote", "handle"}
    for name, (operations, (old, new, between)) in seen.items():
        assert operations >= 1
        assert old >= 1
        assert new >= 1
        assert bool(between) == (name == "full")


def test_a_week_away_loses_no_first_report_no_change_and_not_the_newest(machine: vm.Vm) -> None:
    said = run(machine, "week.py", 700_000)
    assert said["attempts"] > 1000
    assert said["bytes"] <= 20_000
    assert said["waiting"] == 24
    assert said["dropped"] > 400
    assert said["in_order"]
    assert said["states"] == [0, 1, 2, 3, 4, 5, 5]  # first, five changes, and what it is now
    assert said["left"] == 0
    assert said["heap"] < 2000  # constant memory
    assert said["worn"] * 365 / 7 <= 5000  # erases of the hottest block in a year


def test_an_application_beside_the_agent_never_waits_long(machine: vm.Vm, tmp_path: Path) -> None:
    ca = authority()
    (tmp_path / "ca.der").write_bytes(ca.der)
    replies = [reply for _ in range(3) for reply in (session(), complete())]
    with serving(server_pem(ca, tmp_path), *replies) as verifier:
        names = {"URL": verifier.url, "CA": str(tmp_path / "ca.der"), "REPORTS": 2}
        said = run(machine, "beside.py", 200_000, **names)
    assert len([request for request in verifier.requests if request.body]) >= 2
    assert said["longest_ms"] < 200
    assert said["turns"] > 100
    assert said["fed"] >= said["turns"] // 10
    assert said["heap"] < 20_000
