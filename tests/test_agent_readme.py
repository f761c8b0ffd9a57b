"""agent/README.md does what it says: its snippets run, its tables are those of the sources."""

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_support import AGENT
from emulated import ROOT, Stage, boards
from emulator import vm
from troth_agent import settings

PAGE = (AGENT / "README.md").read_text()
SNIPPETS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.M | re.S)


def snippet(kind: str) -> str:
    (found,) = (text for word, text in SNIPPETS if word == kind)
    return found


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    at = tmp_path_factory.mktemp("readme")
    (at / "files").mkdir()
    (at / "files/troth.json").write_text(snippet("json"))
    with boards(at, "--name", "b", "--files", str(at / "files")) as running:
        yield running


def test_the_settings_are_settings() -> None:
    said = settings.check(json.loads(snippet("json")))
    assert said["hwmodel"] == "lamp-v1"


def test_every_key_of_the_settings_is_explained() -> None:
    rows = " ".join(re.findall(r"^\| ([\w, ]+) \|", PAGE.split("## Run")[0], re.M))
    asked = re.findall(
        r'(?:said\.get\(|text\(said, )"(\w+)"',
        "".join((AGENT / f"troth_agent/{name}.py").read_text() for name in ("settings", "choices")),
    )
    missing = {name for name in asked if not re.search(rf"\b{name}\b", rows)}
    assert missing <= {"link", "webrepl", "ap"}  # the scheme of url, what is in services


@pytest.mark.vm
def test_the_declaration_is_one(tmp_path: Path) -> None:
    code = f"import sys\nsys.path.insert(0, {str(AGENT)!r})\n{snippet('python')}"
    code += "print(len(troth_agent._declared))"
    said = subprocess.run([*vm.find_vm().argv, "-c", code], capture_output=True, text=True)
    assert (said.stdout, said.stderr) == ("12\n", "")


@pytest.mark.vm
def test_the_agent_is_installed_by_hand_and_answers(stage: Stage) -> None:
    said = stage.mpremote("b", "mip", "install", "agent/package.json", cwd=ROOT)
    assert said.code == 0, said
    code = "import troth_agent as t\nt.enroll()\nprint(t.answer(bytes(32))[:3].hex(), t.__file__)"
    assert stage.python("b", code) == "d9025a /lib/troth_agent/__init__.mpy\n"


def test_the_budgets_are_those_of_the_boards() -> None:
    for file in sorted((ROOT / "boards").glob("*/board.toml")):
        text = file.read_text()
        board = tomllib.loads(text)
        heap = f"{board['chip']['heap_bytes'] // 1000} kB"
        if re.search(r"heap_bytes = .*estimate", text):
            heap += ", an estimate"
        keys = "eFuse HMAC, ATECC608" if board["peripherals"]["hmac"] else "ATECC608"
        assert f"| {board['chip']['id']} | {heap} | {keys} |" in PAGE


def test_its_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (AGENT / target).exists(), target
