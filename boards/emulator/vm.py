"""Where the MicroPython VM comes from: TROTH_MICROPYTHON, or Debian's build in a private root.

The i386 build is wanted: its words, small ints and heap are those of a 32-bit board. Where the
kernel does not run IA32 the amd64 build serves, with twice the heap. Nothing on the system is
changed: apt works in a folder of its own, with the mirror that this machine already trusts.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from emulator.pins import pool_files
from emulator.trouble import BOARD, Trouble

SUITE = "trixie"
VERSION = "1.25.0+ds-1"
LIBRARIES = ("libc6", "libffi8", "libmbedcrypto16", "libmbedtls21", "libmbedx509-7")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
APT = Path("/etc/apt")
APT_HELPER = Path("/usr/lib/apt/apt-helper")
HINT = "set TROTH_MICROPYTHON to a MicroPython (unix port) of your own"


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
        debs = _download(at, build)
        hashes = {deb.name: hashlib.sha256(deb.read_bytes()).hexdigest() for deb in debs}
        _check_pin(hashes, build)
        out = at / "root"
        for deb in debs:
            _run(["dpkg", "-x", str(deb), str(out)], "unpack the VM")
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


def _download(at: Path, build: Build) -> list[Path]:
    """The pinned packages; where one has left the archive, what the suite's lists name today."""
    mirror, keyring = debian_mirror()
    (at / "debs").mkdir()
    if not _from_pool(at / "debs", mirror, build):
        _by_lists(at, build, mirror, keyring)
    return sorted((at / "debs").glob("*.deb"))


def _from_pool(to: Path, mirror: str, build: Build) -> bool:
    """Six files and no package lists, which are large and at times at odds with their own index."""
    if not APT_HELPER.is_file():
        return False
    settings = ("Acquire::Retries=3", "Acquire::http::Timeout=30", "APT::Sandbox::User=root")
    helper = [str(APT_HELPER), *(word for each in settings for word in ("-o", each))]
    for path, sha256 in pool_files(build.arch).items():
        url, deb = f"{mirror.rstrip('/')}/{path}", str(to / Path(path).name)
        argv = [*helper, "download-file", url, deb, f"SHA256:{sha256}"]
        if subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL).returncode != 0:
            for deb in to.iterdir():
                deb.unlink()
            return False
    return True


def _by_lists(at: Path, build: Build, mirror: str, keyring: str) -> None:
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (at / folder).mkdir(parents=True)
    source = at / "debian.sources"
    source.write_text(
        f"Types: deb\nURIs: {mirror}\nSuites: {SUITE}\nComponents: main\nSigned-By: {keyring}\n"
    )
    config = at / "apt.conf"
    config.write_text(_apt_config(at, source, build))
    env = {**os.environ, "APT_CONFIG": str(config), "LC_ALL": "C.UTF-8"}
    _run(["apt-get", "-q", "update"], "read the package lists of Debian " + SUITE, env)
    wanted = [f"micropython={VERSION}", *LIBRARIES]
    _run(["apt-get", "-q", "download", *wanted], "download MicroPython", env, at / "debs")


def _apt_config(at: Path, source: Path, build: Build) -> str:
    lines = {
        "Dir::State": at / "state",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": at / "cache",
        "Dir::Etc::sourcelist": source,
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "APT::Architecture": build.arch,
        "APT::Architectures": build.arch,
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled": "false",
        "Acquire::Retries": "3",
        "Acquire::http::Timeout": "30",
    }
    return "".join(f'{key} "{value}";\n' for key, value in lines.items())


def debian_mirror(apt: Path = APT) -> tuple[str, str]:
    """Mirror and keyring of the machine's own Debian source, whatever it is called."""
    for uri, suite, components, keyring in _sources(apt):
        is_main_archive = "-" not in suite and "/" not in suite and "main" in components
        if is_main_archive and re.search(r"debian/?$", uri):
            return uri, keyring or str(KEYRING)
    raise Trouble("vm.no-mirror", "no Debian archive in this machine's apt configuration", HINT)


def _sources(apt: Path) -> Iterator[tuple[str, str, list[str], str]]:
    parts = apt / "sources.list.d"
    for path in sorted(parts.glob("*.sources")):
        yield from _deb822(path.read_text(errors="replace"))
    for path in (apt / "sources.list", *sorted(parts.glob("*.list"))):
        if path.is_file():
            yield from _one_line(path.read_text(errors="replace"))


def _deb822(text: str) -> Iterator[tuple[str, str, list[str], str]]:
    text = re.sub(r"^#.*\n?", "", text, flags=re.M)
    for stanza in re.split(r"\n\s*\n", text):
        field = dict(re.findall(r"^([\w-]+):[ \t]*(.*(?:\n[ \t].*)*)", stanza, flags=re.M))
        if "deb" not in field.get("Types", "").split() or field.get("Enabled") == "no":
            continue
        signed = field.get("Signed-By", "").strip()
        keyring = signed if signed.startswith("/") else ""
        for uri in field.get("URIs", "").split():
            for suite in field.get("Suites", "").split():
                yield uri, suite, field.get("Components", "").split(), keyring


def _one_line(text: str) -> Iterator[tuple[str, str, list[str], str]]:
    for line in text.splitlines():
        found = re.match(r"deb\s+(?:\[(.*?)\]\s+)?(\S+)\s+(\S+)\s+([^#]*)", line.strip())
        if found:
            options, uri, suite, components = found.groups()
            signed = re.search(r"signed-by=(/\S+)", options or "")
            yield uri, suite, components.split(), signed[1] if signed else ""


def _run(
    argv: list[str], doing: str, env: dict[str, str] | None = None, cwd: Path | None = None
) -> None:
    said = subprocess.run(
        argv, capture_output=True, text=True, env=env, cwd=cwd, stdin=subprocess.DEVNULL
    )
    if said.returncode == 0:
        return
    lines = [line for line in said.stderr.splitlines() if line.startswith(("E:", "dpkg"))]
    why = lines[0].removeprefix("E: ") if lines else f"{argv[0]} ended with {said.returncode}"
    raise Trouble("vm.fetch", f"could not {doing}: {why}", f"check the network, or {HINT}", BOARD)


def _remember(home: Path, build: Build, hashes: dict[str, str]) -> None:
    used = {"micropython": VERSION, "suite": SUITE, "arch": build.arch, "sha256": hashes}
    (home / "versions.json").write_text(json.dumps(used, indent=2) + "\n")
