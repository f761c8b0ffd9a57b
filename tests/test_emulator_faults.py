"""Each fault sits where it would sit on a real board, and `none` takes it away."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from emulated import Stage, boards
from emulator.faults import FAULTS

pytestmark = pytest.mark.vm

SCENARIO = """
[[board]]
name = "good"
profile = "P2"

[[board]]
name = "bad"
chip = "esp32s3"
profile = "P2"
"""
SETTINGS = (
    '{"oemid": "0a1b2c", "hwmodel": "x", "swname": "y", "swversion": "1.4.0",'
    ' "interval_s": 4, "services": {}}'
)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with boards(tmp_path_factory.mktemp("faults"), scenario=SCENARIO) as running:
        for name in running.boards:
            running.python(
                name,
                f"with open('/troth.json', 'w') as f: f.write({SETTINGS!r})\n"
                "with open('/main.py', 'w') as f: f.write('print(1)\\n')\n"
                "import troth_agent; troth_agent.enroll()",
            )
        yield running


LOOK = """
import sys, os, hashlib, esp32, network
seen = {}
for name in sorted(os.listdir('/')):
    with open('/' + name, 'rb') as f: seen[name] = hashlib.sha256(f.read()).digest().hex()
app = bytearray(25000); esp32.Partition(esp32.Partition.RUNNING).readblocks(0, app)
seen['app'] = hashlib.sha256(app).digest().hex()
webrepl = sys.modules.get('webrepl')
seen['webrepl'] = bool(webrepl and webrepl.listen_s)
ap = network.WLAN(1)
seen['ap'] = ap.config('security') if ap.active() else None
import json; print('seen', json.dumps(seen))
"""


def look(stage: Stage) -> dict[str, object]:
    said = stage.python("bad", LOOK)
    seen: dict[str, object] = json.loads(said.rsplit("seen ", 1)[1])
    return seen


@pytest.fixture(scope="module")
def clean(stage: Stage) -> dict[str, object]:
    return look(stage)


@pytest.mark.parametrize(
    ("fault", "changed"),
    [
        ("webrepl-on", {"webrepl"}),
        ("webrepl-technician", {"webrepl", "boot.py", "webrepl_cfg.py"}),
        ("tampered-firmware", {"app"}),
        ("old-firmware", {"app", "troth.json"}),
        ("changed-file", {"main.py"}),
        ("open-ap", {"ap"}),
        ("silent", set()),
        ("support-shortened", set()),
    ],
)
def test_a_fault_changes_its_own_place(
    stage: Stage, clean: dict[str, object], fault: str, changed: set[str]
) -> None:
    said = stage.emu("fault", "bad", fault)
    assert said.code == 0, said
    with_fault = look(stage)
    rows = json.loads(stage.emu("list", "--json").out)["boards"]
    assert {row["name"]: row["fault"] for row in rows} == {"good": None, "bad": fault}
    names = {*clean, *with_fault}
    assert {name for name in names if clean.get(name) != with_fault.get(name)} == changed


@pytest.mark.parametrize("fault", ["webrepl-technician", "old-firmware"])
def test_none_restores_the_board(stage: Stage, clean: dict[str, object], fault: str) -> None:
    assert stage.emu("fault", "bad", fault).code == 0
    assert stage.emu("fault", "bad", "none").code == 0
    assert look(stage) == clean


REPORTS = """
import os
from troth_agent import attest, cose, cbor, loop
import troth_agent
from troth_agent.keys import soft
board = troth_agent._board()
for i in range(6):
    e = attest.Evidence(loop.finish(board.steps()), board.session(), soft.load(), bytes([i]) * 32)
    text = e.bundle()
    wanted = (bytes([i]) * 32, soft.load().kid, b'\\x02' + {mac})
    print(*[text.find(part) > 0 for part in wanted])
"""


@pytest.mark.parametrize(
    ("fault", "reports"),
    [
        # fresh nonce, own key, own name: two rounds of each turn
        ("wrong-key", ["True True True", "True False True"]),
        ("replay", ["True True True", "False True True"]),
        ("impostor", ["True True True", "True True False", "False False False"]),
    ],
)
def test_a_lying_board_lies_in_turn(stage: Stage, fault: str, reports: list[str]) -> None:
    said = stage.emu("fault", "bad", fault)
    assert said.code == 0, said
    mac = stage.python("bad", "import machine; print(machine.unique_id())").strip()
    lines = stage.python("bad", REPORTS.format(mac=mac)).splitlines()
    assert stage.emu("fault", "bad", "none").code == 0
    assert lines == reports * (6 // len(reports))


def test_the_table_is_complete_and_names_every_fault_once(stage: Stage) -> None:
    document = json.loads(stage.emu("faults", "--json").out)
    assert document["schema"] == "troth/faults/1"
    rows = {row["name"]: row for row in document["faults"]}
    assert set(rows) == set(FAULTS)
    issue = "webrepl-on tampered-firmware old-firmware changed-file debug-open wrong-key replay"
    assert {*issue.split(), "silent", "open-ap"} <= set(rows)
    for row in rows.values():
        assert {"name", "duties", "findings", "rejected", "state"} <= set(row)
        assert row["duties"] or row["findings"] or row["rejected"]
        assert row["state"] in ("compliant", "non-compliant", "stale")


def test_a_release_that_ships_webrepl_starts_with_it(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    at = tmp_path_factory.mktemp("shipped")
    with boards(at, "--name", "cam", "--fault", "webrepl-shipped") as own:
        said = own.python("cam", "import sys; print(sys.modules['webrepl'].listen_s is not None)")
        assert said.split()[-1] == "True"
        said = own.emu("fault", "cam", "none").err
        assert said.startswith("error[fault.factory] ")
