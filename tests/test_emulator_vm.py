"""Where the VM comes from: the machine's own mirror, pinned bytes, and a clear word when not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from emulated import EMULATOR
from emulator.debian import LIBRARIES, VERSION, debian_mirror
from emulator.pins import pool_files
from emulator.trouble import Trouble
from emulator.vm import BUILDS, find_vm
from forked import run

DEB822 = """\
# a comment
Types: deb
URIs: http://mirror.test/debian-security
Suites: bookworm-security
Components: main

Types: deb
URIs: http://mirror.test/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/here.gpg
"""


def apt_with(at: Path, name: str, text: str) -> Path:
    (at / "sources.list.d").mkdir()
    (at / name).write_text(text)
    return at


@pytest.mark.parametrize(
    ("name", "text", "mirror", "keyring"),
    [
        ("sources.list.d/debian.sources", DEB822, "http://mirror.test/debian", "here.gpg"),
        (
            "sources.list",
            "deb-src http://mirror.test/debian bookworm main\n"
            "deb [arch=amd64 signed-by=/k/own.gpg] http://two.test/debian/ bookworm main # so\n",
            "http://two.test/debian/",
            "own.gpg",
        ),
        (
            "sources.list",
            "deb http://plain.test/debian bookworm main\n",
            "http://plain.test/debian",
            "debian-archive-keyring.gpg",
        ),
        (
            "sources.list.d/off.sources",
            DEB822 + "\nEnabled: no\n",
            "http://mirror.test/debian",
            "here.gpg",
        ),
    ],
)
def test_the_mirror_is_the_one_the_machine_trusts(
    tmp_path: Path, name: str, text: str, mirror: str, keyring: str
) -> None:
    found = debian_mirror(apt_with(tmp_path, name, text))
    assert found[0] == mirror
    assert found[1].endswith(keyring)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "deb http://mirror.test/debian-security bookworm-security main\n",
        "deb http://mirror.test/debian bookworm contrib\n",
        "Types: deb\nEnabled: no\nURIs: http://m.test/debian\nSuites: sid\nComponents: main\n",
    ],
    ids=["nothing", "only security", "without main", "switched off"],
)
def test_no_mirror_is_said_with_a_remedy(tmp_path: Path, text: str) -> None:
    name = "sources.list.d/x.sources" if text.startswith("Types") else "sources.list"
    with pytest.raises(Trouble) as caught:
        debian_mirror(apt_with(tmp_path, name, text))
    assert caught.value.code == "vm.no-mirror"
    assert "TROTH_MICROPYTHON" in caught.value.fix


def test_every_build_is_pinned() -> None:
    assert [build.arch for build in BUILDS] == ["i386", "amd64"]
    for build in BUILDS:
        files = pool_files(build.arch)
        assert all(len(bytes.fromhex(sha256)) == 32 for sha256 in files.values())
        assert {Path(path).name.partition("_")[0] for path in files} == {"micropython", *LIBRARIES}
        assert any(path.endswith(f"micropython_{VERSION}_{build.arch}.deb") for path in files)


def test_the_vm_is_32_bits_wide_or_has_twice_the_heap() -> None:
    vm = find_vm()
    said = subprocess.check_output([*vm.argv, "-c", "import sys; print(sys.maxsize > 0x7fffffff)"])
    assert said.strip().decode() == ("True" if vm.heap_factor == 2 else "False")


def test_a_vm_of_ones_own_is_used(tmp_path: Path) -> None:
    own = tmp_path / "micropython"
    own.write_text('#!/bin/sh\nexec {} "$@"\n'.format(" ".join(find_vm().argv)))
    own.chmod(0o755)
    said = run(EMULATOR, "vm", env={**os.environ, "TROTH_MICROPYTHON": str(own)})
    assert said.code == 0
    assert said.out.strip() == str(own)


@pytest.mark.parametrize("path", ["/no/such/vm", sys.executable, "/bin/true"])
def test_a_vm_that_is_none_is_refused(path: str) -> None:
    said = run(EMULATOR, "vm", env={**os.environ, "TROTH_MICROPYTHON": path})
    assert said.code == 6
    assert said.err.startswith("error[vm.unusable] ")
    assert "fix:" in said.err


def test_without_apt_there_is_a_remedy(tmp_path: Path) -> None:
    from emulator import vm

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        patch.delenv("TROTH_MICROPYTHON", raising=False)
        with pytest.raises(Trouble) as caught:
            vm.find_vm(tmp_path / "vm")
    assert caught.value.code == "vm.no-apt"
