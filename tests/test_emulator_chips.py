"""Unlike chips on one line: each is emulated, provisioned and judged as what it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emulated import boards
from forked import tool

pytestmark = [pytest.mark.vm, pytest.mark.timeout(150)]

SETTINGS = {"oemid": 0, "hwmodel": "lamp", "swname": "lamp", "swversion": "2.0", "interval_s": 60}
# one boots images signed with ECDSA and keeps half a digest of the key; one has no Wi-Fi
UNLIKE = {"esp32c2": "P2", "esp32h2": "P0"}


def test_unlike_chips_are_provisioned_together_and_show_what_their_profile_must(
    tmp_path: Path,
) -> None:
    home, files = tmp_path / "home", tmp_path / "lamp"
    files.mkdir()
    (files / "main.py").write_text("import troth_agent\ntroth_agent.run()\n")
    (files / "troth.json").write_text(json.dumps(SETTINGS))
    here = ("--home", str(home), "--json")
    tool("troth", *here, "init", str(home))
    rows = [
        f'[[board]]\nname = "{chip}"\nchip = "{chip}"\nprofile = "{profile}"\n'
        for chip, profile in UNLIKE.items()
    ]
    with boards(tmp_path, scenario="\n".join(rows)) as stage:
        ports = [word for row in stage.boards.values() for word in ("--port", str(row["port"]))]
        said = tool("troth", *here, "provision", "--files", str(files), *ports)
    told = json.loads(said)["boards"]
    assert {row["chip"]: row["profile"] for row in told} == UNLIKE
    # not sealed, and that is all: half a digest is not held against the chip that keeps no more
    assert [row["failing"] for row in told] == [[], []]
