"""Chips, signers and links in every pairing that can be: each board ends compliant.

Three chips, three signers, three links. `make boards` walks all of them (TROTH_BOARDS=all); here a
Latin square does: each chip, each signer and each link once.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, product
from pathlib import Path

import pytest

from brokers import VERIFIER, broker
from line import compliant, emulator, release, running, served, troth, wait_for
from troth.core.verdict import State
from troth.factory.hardening import load_chip
from troth.factory.manifest import board_tree, read_tree
from troth.factory.passwords import Passwords

pytestmark = [pytest.mark.vm, pytest.mark.timeout(1200)]

CHIPS, SIGNERS = ("esp32", "esp32c3", "esp32s3"), ("atecc608", "efuse-hmac", "soft")
LINKS = ("serial", "https", "mqtts")
MAIN = {
    "serial": "import time\n\nwhile True:\n    time.sleep(1)\n",  # it speaks when it is asked
    "https": "import troth_agent\n\ntroth_agent.run()\n",
    "mqtts": "import troth_agent\n\ntroth_agent.run()\n",
}


@dataclass(frozen=True)
class Pairing:
    """One board of the matrix."""

    chip: str
    signer: str
    link: str

    @property
    def name(self) -> str:
        return f"{self.chip}-{self.signer}-{self.link}"

    @property
    def possible(self) -> bool:
        return self.signer != "efuse-hmac" or load_chip(self.chip).hmac

    @property
    def profile(self) -> str:
        return "P0" if self.signer == "soft" else "P1"


WALKED_ALL = os.environ.get("TROTH_BOARDS") == "all"
PAIRS = product(CHIPS, SIGNERS, LINKS) if WALKED_ALL else zip(CHIPS, SIGNERS, LINKS, strict=True)
BOARDS = [board for board in (Pairing(*each) for each in PAIRS) if board.possible]


def ueid(board: Pairing) -> str:
    """By the serial number that the scenario gives it."""
    return "02" + (load_chip(board.chip).oui + (BOARDS.index(board) + 1).to_bytes(3, "big")).hex()


class Matrix:
    """A home with a release for every board, its verifier, and the boards on their ports."""

    def __init__(self, at: Path) -> None:
        self.at, self.home = at, at / "home"
        troth(at, "init", str(self.home))
        self.certs = self.home / "certs" / "dev"
        for board in BOARDS:
            self._release(board)

    def files(self, board: Pairing) -> Path:
        return self.at / f"{board.link}-{board.signer}"

    def _release(self, board: Pairing) -> None:
        """One product for each link and signer, one image for each chip."""
        files, image = self.files(board), self.at / f"{board.chip}.bin"
        said = {"oemid": 0, "hwmodel": f"m-{board.link}-{board.signer}", "swname": "m"}
        said |= {"swversion": "1.0.0", "interval_s": 10, "signer": board.signer}
        if board.link == "mqtts":
            said["link"] = "mqtts"
        files.mkdir(exist_ok=True)
        (files / "main.py").write_text(MAIN[board.link])
        (files / "troth.json").write_text(json.dumps(said))
        for path, text in board_tree(read_tree(files), frozen=False).items():
            laid = self.at / "laid" / files.name / path.lstrip("/")
            laid.parent.mkdir(parents=True, exist_ok=True)
            laid.write_bytes(text)
        if not image.is_file():
            emulator("image", "--chip", board.chip, "--version", "1.0.0", "-o", str(image))
        release(self.home, image, files, "1.0.0")

    @contextmanager
    def alive(self) -> Iterator[None]:
        """The broker, the verifier, and every board with power."""
        words = Passwords(self.certs / "mqtt.passwords")
        passwords = {ueid(board): words.of(ueid(board)) for board in BOARDS} | {VERIFIER: "word"}
        pem = self.at / "broker.pem"
        pem.write_bytes((self.certs / "server.pem").read_bytes())
        with pem.open("ab") as file:
            file.write((self.certs / "server.key").read_bytes())
        login = {"TROTH_MQTT_USER": VERIFIER, "TROTH_MQTT_PASSWORD": "word"}
        with (
            broker("mosquitto", self.at, pem, passwords) as road,
            served(
                self.home, "--mqtt", road.url, "--mqtt-ca", str(self.certs / "ca.pem"), **login
            ) as said,
            running(self.at, "--scenario", str(self._scenario())) as boards,
        ):
            self.urls = {"serial": said["attest"], "https": said["attest"], "mqtts": road.url}
            self.ports = {row["name"]: row["port"] for row in boards["boards"]}
            yield

    def _scenario(self) -> Path:
        path, rows = self.at / "boards.toml", []
        for number, board in enumerate(BOARDS, 1):
            said = {"name": board.name, "chip": board.chip, "profile": board.profile}
            said |= {"signer": board.signer, "app": f"{board.chip}.bin"}
            # laid on the flash beforehand: to write the agent over a port takes a while
            said |= {"files": f"laid/{self.files(board).name}"}
            said |= {"hmac_master": str(self.certs / "hmac-master.key")}
            lines = [f"{key} = {json.dumps(value)}" for key, value in said.items()]
            rows.append("\n".join(["[[board]]", *lines, f"serial = {number}"]))
        path.write_text("\n".join(rows))
        return path

    def provision(self) -> None:
        """Boards of one product at once."""
        for files, boards in groupby(sorted(BOARDS, key=self.files), key=self.files):
            same = list(boards)
            ports = [word for board in same for word in ("--port", self.ports[board.name])]
            url = self.urls[same[0].link]
            troth(self.home, "provision", *ports, "--files", str(files), "--url", url)

    def heard_under_another(self, name: str, old: str) -> str:
        """The key of its last report, as soon as it is not this one."""
        kid, end = old, time.monotonic() + 120
        while kid == old and time.monotonic() < end:
            time.sleep(1)
            kid = troth(self.home, "device", "show", name)["reports"][0]["kid"]
        return kid


def test_every_board_ends_compliant_and_a_key_can_follow(tmp_path: Path) -> None:
    matrix = Matrix(tmp_path)
    with matrix.alive():
        matrix.provision()
        for board in BOARDS:
            port, name = matrix.ports[board.name], ueid(board)
            if board.link != "serial":
                said = wait_for(matrix.home, name, compliant, 120)
                assert said.state is State.COMPLIANT, (board, said)
            else:
                assert troth(matrix.home, "attest", "--port", port)["state"] == "compliant", board
            asked = ("device", "rotate-key", name)
            if board.signer == "efuse-hmac":
                port_of = ("--port", port) if board.link == "serial" else ()
                assert troth(matrix.home, *asked, *port_of, code=2)["code"] == "key.burned"
            elif board.link == "serial":
                said = troth(matrix.home, *asked, "--port", port)
                assert (said["state"], said["finished"]) == ("compliant", False)
                assert said["old"] != said["new"]
            elif board.link == "https":
                old = troth(matrix.home, *asked)["key"]
                assert old != matrix.heard_under_another(name, old), board


if WALKED_ALL:

    def test_a_chip_without_the_peripheral_is_told_so_and_nothing_is_registered(
        tmp_path: Path,
    ) -> None:
        home, files = tmp_path / "home", tmp_path / "files"
        troth(tmp_path, "init", str(home))
        files.mkdir()
        said = {"oemid": 0, "hwmodel": "m", "swname": "m", "swversion": "1", "interval_s": 10}
        (files / "troth.json").write_text(json.dumps({**said, "signer": "efuse-hmac"}))
        with running(tmp_path, "--chip", "esp32", "--name", "bare") as boards:
            port = boards["boards"][0]["port"]
            (row,) = troth(home, "provision", "--port", port, "--files", str(files), code=6)[
                "boards"
            ]
        assert row["code"] == "agent.signer.absent"
        assert "esp32 has no HMAC peripheral" in row["what"]
        assert troth(home, "device", "list")["devices"] == []
