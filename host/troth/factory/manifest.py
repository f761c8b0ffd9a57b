"""What the line puts on a board, and the digests by which a release promises it (troth.cddl).

`board_tree` is used by `release add` and by `provision` alike, so that what was signed is what is
installed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cbor2

from ..bundled import bundled
from ..trouble import Trouble

SETTINGS = "/troth.json"
AGENT = "/lib/troth_agent"
LINKS = ("https", "mqtts")
SIGNERS = ("soft", "efuse-hmac", "atecc608")
_CODE = (".py", ".mpy")
_MAX_FILE = 2 * 1024 * 1024
_WIFI = (
    "open", "wep", "wpa", "wpa2", "wpa-wpa2", "wpa2-ent", "wpa3", "wpa2-wpa3", "wapi", "owe",
    "wpa3-ent", "wpa2-wpa3-ent",
)  # fmt: skip


def read_tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder by its path on the board; Trouble `file.*`."""
    if not folder.is_dir():
        raise Trouble("file.missing", f"no folder {folder}", fix="name the product's folder")
    tree = {}
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        if path.is_dir() or "__pycache__" in inner.parts:
            continue
        if path.is_symlink() or not path.is_file():
            raise Trouble("file.kind", f"{path} is not a plain file", fix="copy the file itself")
        if path.stat().st_size > _MAX_FILE:
            raise Trouble(
                "file.size", f"{path} has more than {_MAX_FILE} bytes", fix="leave it out"
            )
        tree["/" + inner.as_posix()] = path.read_bytes()
    return tree


def agent_tree() -> dict[str, bytes]:
    """The agent's own modules as they are installed on a board that has none frozen in: bytecode
    that came with Troth, so that every machine installs and promises the same bytes.
    """
    root = bundled("agent") / "bytecode/troth_agent"
    found = sorted(root.rglob("*.mpy"))
    return {f"{AGENT}/{path.relative_to(root).as_posix()}": path.read_bytes() for path in found}


def board_tree(files: Mapping[str, bytes], *, frozen: bool) -> dict[str, bytes]:
    """The product's files and, unless it is frozen or brought along, the agent with a main.py."""
    tree = dict(files)
    if frozen:
        return tree
    if not any(path.startswith(AGENT + "/") for path in tree):
        tree |= agent_tree()
    tree.setdefault("/main.py", (bundled("agent") / "main.py").read_bytes())
    return tree


def manifest_digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 of the CDDL `manifest` of these files, all of them."""
    return manifest_of({path: hashlib.sha256(text).digest() for path, text in files.items()})


def manifest_of(digests: Mapping[str, bytes]) -> str:
    """The same from the files' digests alone."""
    return hashlib.sha256(_encode(digests)).hexdigest()


def executable(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Those files that a board can execute."""
    return {path: text for path, text in files.items() if path.endswith(_CODE)}


def code_digest(files: Mapping[str, bytes]) -> str:
    """The manifest digest of every file that can execute."""
    return manifest_digest(executable(files))


def settings_digest(settings: Mapping[str, Any]) -> str:
    """The CDDL `settings-profile` with link and services as the maker declares them."""
    services = settings.get("services", {})
    profile = {
        "ap": services.get("ap"),
        "interval_s": settings["interval_s"],
        "scheme": settings.get("link", LINKS[0]),
        "webrepl": bool(services.get("webrepl", False)),
    }
    return hashlib.sha256(_encode(profile)).hexdigest()


def read_settings(raw: bytes, where: str) -> dict[str, Any]:
    """The maker's settings in a troth.json, checked as the agent will. Trouble `file.settings`."""
    try:
        said = json.loads(raw)
    except (ValueError, RecursionError) as err:
        raise _wrong(where, f"not JSON: {err}") from err
    if not isinstance(said, dict):
        raise _wrong(where, "want an object at top level")
    for name, longest in (("hwmodel", 32), ("swname", 64), ("swversion", 64)):
        value = said.get(name)
        if not isinstance(value, str) or not 1 <= len(value.encode()) <= longest:
            raise _wrong(where, f"{name}: want text of 1 to {longest} bytes")
    interval = said.get("interval_s")
    if type(interval) is not int or not 1 <= interval <= 604_800:
        raise _wrong(where, "interval_s: want a whole number of seconds, 1 to 604800")
    if not _is_oemid(said.get("oemid")):
        raise _wrong(where, "oemid: want a number, or 6 or 32 hex digits")
    if said.get("link", LINKS[0]) not in LINKS:
        raise _wrong(where, "link: want https or mqtts")
    if said.get("signer", SIGNERS[0]) not in SIGNERS:
        raise _wrong(where, f"signer: want one of {', '.join(SIGNERS)}")
    _check_services(said.get("services", {}), where)
    return said


def _check_services(services: object, where: str) -> None:
    if not isinstance(services, dict):
        raise _wrong(where, "services: want an object")
    if services.get("webrepl") not in (None, True, False):
        raise _wrong(where, "services/webrepl: want true or false")
    if services.get("ap") is not None and services["ap"] not in _WIFI:
        raise _wrong(where, "services/ap: want null or a Wi-Fi security such as wpa2")


def _is_oemid(value: object) -> bool:
    if type(value) is int:
        return value >= 0
    if not isinstance(value, str) or len(value) not in (6, 32):
        return False
    return all(digit in "0123456789abcdefABCDEF" for digit in value)


def _wrong(where: str, why: str) -> Trouble:
    return Trouble(
        "file.settings", f"{where} is not a product's settings", why=why, fix=f"edit {where}"
    )


def _encode(said: Mapping[str, Any]) -> bytes:
    # all keys are text: shortest-first (what canonical does) and bytewise order are the same then
    return cbor2.dumps(said, canonical=True)
