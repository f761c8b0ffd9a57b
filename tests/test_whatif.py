"""What tomorrow's rules would flag, and that asking changes nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from click.testing import CliRunner

from standing import Standing, release
from troth.catalogue.loader import HERE
from troth.catalogue.template import template
from troth.store import Store


def test_another_catalogue_shows_what_would_turn_and_changes_nothing(tmp_path: Path) -> None:
    from troth.cli import root

    fleet = Standing(tmp_path)
    fleet.add_release(release("bench", "esp32", "0.1.0", days_ago=10))
    fleet.enrol("bench-01", "bench", "esp32", "0.1.0")
    fleet.report("bench-01")
    fleet.store.close()
    other = tmp_path / "tomorrow"
    shutil.copytree(HERE, other, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    duty = other / "duties/surface.no-webrepl.yaml"
    duty.write_text(duty.read_text().replace("ok: '!d.webrepl_on'", "ok: 'd.webrepl_on'"))

    def ask(folder: Path, option: str = "--as-if-catalogue") -> dict:
        words = ["check", "--db", fleet.url, option, str(folder), "--json"]
        return json.loads(CliRunner().invoke(root, words, catch_exceptions=False).stdout)

    ask(HERE)  # the clock may turn something first
    with Store.open(fleet.url) as store:
        before = (store.states(), store.all_intervals(), store.audit())
    said = ask(other)
    assert said["schema"] == "troth/whatif/1"
    assert [(each["duty"], each["to"], each["binds"]) for each in said["differences"]] == [
        ("surface.no-webrepl", "not-met", True)
    ]
    assert ask(HERE)["differences"] == []
    (tmp_path / "pack" / "duties").mkdir(parents=True)
    ours = template("acme.clock").replace("< 60", "< 60 && v.boots_24h < 0")
    (tmp_path / "pack" / "duties" / "acme.clock.yaml").write_text(ours)
    (new,) = ask(tmp_path / "pack", "--with")["differences"]
    assert (new["duty"], new["from"], new["binds"]) == ("acme.clock", None, False)
    with Store.open(fleet.url) as store:
        assert (store.states(), store.all_intervals(), store.audit()) == before
