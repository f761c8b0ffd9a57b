"""Where the MicroPython VM comes from: TROTH_MICROPYTHON, or Debian's build in a private root.

The i386 build is wanted: its words, small ints and heap are those of a 32-bit board. Where the
kernel does not run IA32 the amd64 build serves, with twice the heap.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from emulator.debian import HINT, SUITE, VERSION, download, run
from emulator.pins import pool_files
from emulator.trouble import Trouble


@dataclass(frozen=True, slots=True)
class Build:
    """One Debian build of the unix port."""

    arch: str
    triplet: str
    loader: str


BUILDS = (
    Build("i386", "i386-linux-gnu", "ld-linux.so.2"),
    Build("amd64", "x86_64-linux-gnu", "ld-linux-x86-64.so.2"),
)


@dataclass(frozen=True, slots=True)
class Vm:
    """How to start a VM; `heap_factor` is 2 where a word is 64 bits wide."""

    argv: tuple[str, ...]
    heap_factor: int = 1


def root() -> Path:
    """The folder of fetched VMs: in a checkout its `.vm`, else the user's cache."""
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "pyproject.toml").is_file():
        return checkout / ".vm"
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "troth" / "vm"


def find_vm(home: Path | None = None) -> Vm:
    """The VM to use, fetched first if it must be."""
    own = os.environ.get("TROTH_MICROPYTHON")
    if own:
        return _probe_own(own)
    home = home or root()
    return _present(home) or _fetch(home)


def _probe_own(path: str) -> Vm:
    vm = _probe((path,))
    if vm is None:
        raise Trouble(
            "vm.unusable",
            f"TROTH_MICROPYTHON={path} does not run as MicroPython",
            "point it at a unix build of MicroPython 1.24 or newer, or unset it",
        )
    return vm


def _probe(argv: tuple[str, ...]) -> Vm | None:
    """Run the VM once: does it start, and how wide is its word."""
    ask = "import sys; print(sys.implementation.name, sys.maxsize > 0x7fffffff)"
    try:
        said = subprocess.run([*argv, "-c", ask], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = said.stdout.split()
    if said.returncode != 0 or words[:1] != ["micropython"]:
        return None
    return Vm(argv, 2 if words[1] == "True" else 1)


def _present(home: Path) -> Vm | None:
    for build in BUILDS:
        if (home / build.arch / "usr").is_dir():
            vm = _probe(_argv(home / build.arch, build))
            if vm is not None:
                return vm
    return None


def _argv(at: Path, build: Build) -> tuple[str, ...]:
    lib = at / "usr" / "lib" / build.triplet
    return (str(lib / build.loader), "--library-path", str(lib), str(at / "usr/bin/micropython"))


def _fetch(home: Path) -> Vm:
    with _locked(home):
        vm = _present(home)  # another process may have been quicker
        for build in BUILDS if vm is None else ():
            hashes = _unpack(home, build)
            vm = _probe(_argv(home / build.arch, build))
            if vm is not None:
                _remember(home, build, hashes)
                break
            shutil.rmtree(home / build.arch, ignore_errors=True)
    if vm is None:
        raise Trouble("vm.unusable", "this machine runs neither the i386 nor the amd64 VM", HINT)
    return vm


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _unpack(home: Path, build: Build) -> dict[str, str]:
    """Download and unpack one build; the hashes of what was used."""
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            raise Trouble("vm.no-apt", f"{tool} is not here, so the VM cannot be fetched", HINT)
    with tempfile.TemporaryDirectory(dir=home) as scratch:
        at = Path(scratch)
        debs = download(at, build.arch)
        hashes = {deb.name: hashlib.sha256(deb.read_bytes()).hexdigest() for deb in debs}
        _check_pin(hashes, build)
        out = at / "root"
        for deb in debs:
            run(["dpkg", "-x", str(deb), str(out)], "unpack the VM")
        shutil.rmtree(home / build.arch, ignore_errors=True)
        _keep_needed(out, home / build.arch, build)
    return hashes


def _check_pin(hashes: dict[str, str], build: Build) -> None:
    """The program itself is always the pinned one; its libraries may have been mended since."""
    pinned = {Path(path).name: sha256 for path, sha256 in pool_files(build.arch).items()}
    name = f"micropython_{VERSION}_{build.arch}.deb"
    got = hashes.get(name, "nothing")
    if got != pinned[name]:
        raise Trouble("vm.hash", f"the MicroPython package is {got}, not the pinned one", HINT)


def _keep_needed(unpacked: Path, to: Path, build: Build) -> None:
    """Only the program, its libraries and their licences: the rest is never read."""
    (to / "usr" / "bin").mkdir(parents=True)
    (unpacked / "usr/bin/micropython").rename(to / "usr/bin/micropython")
    (to / "usr" / "lib").mkdir()
    (unpacked / "usr/lib" / build.triplet).rename(to / "usr/lib" / build.triplet)
    docs = unpacked / "usr/share/doc"
    if docs.is_dir():
        shutil.move(str(docs), str(to / "usr" / "doc"))
    # gconv and audit modules are of no use here and most of the weight
    for spare in ("gconv", "audit"):
        shutil.rmtree(to / "usr/lib" / build.triplet / spare, ignore_errors=True)


def _remember(home: Path, build: Build, hashes: dict[str, str]) -> None:
    used = {"micropython": VERSION, "suite": SUITE, "arch": build.arch, "sha256": hashes}
    (home / "versions.json").write_text(json.dumps(used, indent=2) + "\n")
