"""Where the packages of the VM come from: Debian, by the mirror that this machine trusts.

Nothing on the system is changed: apt works in a folder of its own.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
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


def download(at: Path, arch: str) -> list[Path]:
    """The pinned packages; where one has left the archive, what the suite's lists name today."""
    mirror, keyring = debian_mirror()
    (at / "debs").mkdir()
    if not _from_pool(at / "debs", mirror, arch):
        _by_lists(at, arch, mirror, keyring)
    return sorted((at / "debs").glob("*.deb"))


def _from_pool(to: Path, mirror: str, arch: str) -> bool:
    """Six files and no package lists, which are large and at times at odds with their own index."""
    if not APT_HELPER.is_file():
        return False
    settings = ("Acquire::Retries=3", "Acquire::http::Timeout=30", "APT::Sandbox::User=root")
    helper = [str(APT_HELPER), *(word for each in settings for word in ("-o", each))]
    for path, sha256 in pool_files(arch).items():
        url, deb = f"{mirror.rstrip('/')}/{path}", str(to / Path(path).name)
        argv = [*helper, "download-file", url, deb, f"SHA256:{sha256}"]
        if subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL).returncode != 0:
            for deb in to.iterdir():
                deb.unlink()
            return False
    return True


def _by_lists(at: Path, arch: str, mirror: str, keyring: str) -> None:
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (at / folder).mkdir(parents=True)
    source = at / "debian.sources"
    source.write_text(
        f"Types: deb\nURIs: {mirror}\nSuites: {SUITE}\nComponents: main\nSigned-By: {keyring}\n"
    )
    config = at / "apt.conf"
    config.write_text(_apt_config(at, source, arch))
    env = {**os.environ, "APT_CONFIG": str(config), "LC_ALL": "C.UTF-8"}
    run(["apt-get", "-q", "update"], "read the package lists of Debian " + SUITE, env)
    wanted = [f"micropython={VERSION}", *LIBRARIES]
    run(["apt-get", "-q", "download", *wanted], "download MicroPython", env, at / "debs")


def _apt_config(at: Path, source: Path, arch: str) -> str:
    lines = {
        "Dir::State": at / "state",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": at / "cache",
        "Dir::Etc::sourcelist": source,
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "APT::Architecture": arch,
        "APT::Architectures": arch,
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


def run(
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
