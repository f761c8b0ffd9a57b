"""What `troth doctor` looks at: each probe is one question with one answer and its remedy."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from ..trouble import Trouble

if TYPE_CHECKING:
    from ..settings import Settings

OK, WARN, FAIL = "ok", "warn", "FAIL"
# the smallest IA32 program that ends well: mov eax,1; xor ebx,ebx; int 0x80
_IA32 = bytes.fromhex(
    "7f454c4601010100000000000000000002000300010000005480040834000000"
    "0000000000000000340020000100000000000000010000000000000000800408"
    "008004085d0000005d0000000500000000100000b80100000031dbcd80"
)
_NEEDED = ("click", "cryptography", "cbor2", "sqlalchemy", "starlette", "uvicorn", "mpremote")
_YEAR_OF_THIS_CODE = 1_767_225_600  # 2026-01-01: a clock before it is wrong


@dataclass(frozen=True, slots=True)
class Sign:
    name: str
    level: str  # ok warn FAIL
    what: str
    fix: str = ""


def examine(home: str | None, db: str | None, port: str | None = None) -> tuple[Sign, ...]:
    """Every probe, in the order in which one thing rests on the other."""
    signs = [python(), *packages(), clock(), ia32(), micropython()]
    settings, sign = read_home(home, db)
    signs.append(sign)
    if settings is not None:
        signs += [*keys(settings), fuse_keys(settings)]
        signs += [ca(settings), certificate(settings), store(settings)]
        signs += [listener("server", settings.bind, settings.ca_cert)]
        signs += [listener("pages", settings.pages)]
        if settings.mqtt.url:
            signs.append(broker(settings))
    if port:
        signs.append(serial(port))
    return tuple(signs)


def python() -> Sign:
    version = platform.python_version()
    place = sys.prefix if sys.prefix != sys.base_prefix else "no virtual environment"
    level = OK if sys.prefix != sys.base_prefix else WARN
    return Sign("python", level, f"{version} in {place}", "" if level == OK else "make setup")


def packages() -> Iterator[Sign]:
    missing = [name for name in _NEEDED if not _installed(name)]
    if missing:
        yield Sign("packages", FAIL, f"missing: {', '.join(missing)}", "make setup")
    else:
        yield Sign("packages", OK, f"{len(_NEEDED)} of {len(_NEEDED)} that are needed")
    if shutil.which("mpremote") is None and not (Path(sys.prefix) / "bin" / "mpremote").exists():
        yield Sign("mpremote", WARN, "not on the path", "make setup")


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def clock() -> Sign:
    now = time.time()
    said = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    if now < _YEAR_OF_THIS_CODE:
        return Sign("clock", FAIL, f"it says {said}, which is past", "timedatectl set-ntp true")
    return Sign("clock", OK, said)


def ia32() -> Sign:
    """Does this kernel run 32-bit programs? Emulated boards are nearest to real ones there."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "probe"
        path.write_bytes(_IA32)
        path.chmod(0o700)
        try:
            done = subprocess.run([str(path)], timeout=5, capture_output=True).returncode
        except (OSError, subprocess.SubprocessError):
            done = -1
    if done == 0:
        return Sign("ia32", OK, "32-bit programs run: emulated boards have a board's word size")
    return Sign("ia32", WARN, "32-bit programs do not run: the amd64 VM with twice the heap serves")


def micropython() -> Sign:
    own = os.environ.get("TROTH_MICROPYTHON")
    if own:
        good = os.access(own, os.X_OK)
        fix = "" if good else "point TROTH_MICROPYTHON at a program, or unset it"
        return Sign("micropython", OK if good else FAIL, f"TROTH_MICROPYTHON={own}", fix)
    checkout = Path(__file__).resolve().parents[3]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "troth" / "vm"
    home = checkout / ".vm" if (checkout / "pyproject.toml").is_file() else cache
    found = sorted(path.parts[-4] for path in home.glob("*/usr/bin/micropython"))
    if found:
        return Sign("micropython", OK, f"{', '.join(found)} in {home}")
    return Sign("micropython", WARN, "not fetched yet", "troth emu vm")


def read_home(home: str | None, db: str | None) -> tuple[Settings | None, Sign]:
    from ..settings import load_settings

    try:
        settings = load_settings(home, db)
    except Trouble as err:
        level = WARN if err.code == "home.missing" else FAIL
        return None, Sign("home", level, f"{err.code}: {err.what}", err.fix)
    return settings, Sign("home", OK, str(settings.home))


def keys(settings: Settings) -> Iterator[Sign]:
    """Private keys: what `serve` needs is there, and each is readable by its owner alone."""
    from ..factory.keys import read_private_key

    found = {settings.server_key, settings.ear_key, *settings.keys.glob("*.key")}
    found.discard(settings.hmac_master)  # no P-256 key: `fuse_keys` looks at it
    troubles = []
    for path in sorted(found):
        try:
            read_private_key(path)
        except Trouble as err:
            troubles.append(err)
    for each in troubles:
        yield Sign("keys", FAIL, f"{each.code}: {each.what}", each.fix)
    if not troubles:
        yield Sign("keys", OK, f"{len(found)} in {settings.keys}, readable by their owner alone")


def fuse_keys(settings: Settings) -> Sign:
    """The master of the fuse keys: sound, and there if a board was enrolled with such a key."""
    from ..factory.keys import open_ring

    boards = _fused(settings)
    try:
        open_ring(settings.hmac_master).secret(bytes(6))
    except Trouble as err:
        level = WARN if err.code == "key.missing" and not boards else FAIL
        return Sign("fuse-keys", level, f"{err.code}: {err.what}; {boards} boards need it", err.fix)
    return Sign("fuse-keys", OK, f"{settings.hmac_master}: {boards} boards have a key of it")


def _fused(settings: Settings) -> int:
    """How many devices have a MAC key in force; a store that cannot be read is told elsewhere."""
    from ..formats import eat
    from ..store import Store, StoreUnavailable

    try:
        with Store.open(settings.db) as opened:
            return opened.keys_in_force(eat.HMAC_256)
    except (Trouble, StoreUnavailable):
        return 0


def ca(settings: Settings) -> Sign:
    soon = "plan a new CA: every board pins this one"
    return _lasts("ca", settings.ca_cert, soon=soon, over="troth init in a fresh home")


def certificate(settings: Settings) -> Sign:
    """The server's own: without it no board can report."""
    renew = "remove server.pem, keep server.key, and troth init"
    return _lasts("certificate", settings.server_cert, soon=renew, over=renew)


def _lasts(name: str, path: Path, *, soon: str, over: str) -> Sign:
    from ..factory.pki import ends

    try:
        left = int(ends(path) - time.time()) // 86_400
    except OSError:
        return Sign(name, FAIL, f"no {path}", "troth init")
    except ValueError:
        return Sign(name, FAIL, f"{path} is no certificate", "troth init")
    if left < 0:
        return Sign(name, FAIL, f"ended {-left} days ago", over)
    level, fix = (WARN, soon) if left < 30 else (OK, "")
    return Sign(name, level, f"good for {left} more days", fix)


def store(settings: Settings) -> Sign:
    """It opens, promises durability, its audit chain holds, and it knows nothing of tomorrow."""
    from ..fleet.words import count
    from ..store import Store, StoreUnavailable

    try:
        with Store.open(settings.db) as opened:
            breaks = opened.audit_breaks()
            devices = len(opened.devices())
            newest = max((state.since for state in opened.states().values()), default=0)
    except Trouble as err:
        level = WARN if err.code == "store.missing" else FAIL
        return Sign(
            "store", level, f"{err.code}: {err.what}", err.fix or "make room; or restore a backup"
        )
    except StoreUnavailable as err:
        return Sign("store", FAIL, str(err), f"look at {settings.db}")
    if breaks:
        return Sign("store", FAIL, f"the audit chain breaks at row {breaks[0]}", "restore a backup")
    if newest > time.time() + 60:
        said = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(newest))
        what = f"it holds an answer of {said}: this clock is behind, or was ahead"
        return Sign("store", WARN, what, "timedatectl set-ntp true")
    return Sign(
        "store",
        OK,
        f"{settings.db}: {count(devices, 'device')}, WAL, synchronous FULL, audit whole",
    )


def listener(name: str, address: str, ca: Path | None = None) -> Sign:
    """Is our own server there, is the port free, or does somebody else hold it?"""
    host, _, number = address.rpartition(":")
    if not number.isdecimal():
        return Sign(name, FAIL, f"{address} is no address", "edit troth.toml")
    try:
        with socket.create_connection((host.strip("[]"), int(number)), timeout=1) as link:
            mistrust = _mistrust(link, host, ca) if ca else ""
    except OSError:
        return Sign(name, WARN, f"nobody listens on {address}", "troth serve")
    holder = holder_of(int(number))
    if mistrust:
        what = f"{address} answers, but not as our server: {mistrust}"
        return Sign(name, FAIL, f"{what}; {holder}", "end it, or change [serve] in troth.toml")
    return Sign(name, OK, f"reachable on {address}" + (f", {holder}" if holder else ""))


def broker(settings: Settings) -> Sign:
    """It answers and is the one that we trust. Not logged in to: that would end our own session."""
    from ..ingest.broker import find_broker

    try:
        found = find_broker(settings.mqtt)
        host = found.host.strip("[]")
        with socket.create_connection((host, found.port), timeout=5) as link:
            found.tls.wrap_socket(link, server_hostname=host).close()
    except Trouble as err:
        return Sign("broker", FAIL, f"{err.code}: {err.what}", err.fix)
    except ssl.SSLError as err:
        why = getattr(err, "verify_message", "") or err.reason
        return Sign("broker", FAIL, f"{found}: {why}", "ca under [mqtt] in troth.toml")
    except OSError as err:
        return Sign("broker", WARN, f"{found}: {err.strerror or err}", "start the broker")
    return Sign("broker", OK, f"reachable on {found}")


def _mistrust(link: socket.socket, host: str, ca: Path) -> str:
    """Why the other end is not ours; empty when our CA vouches for it."""
    try:
        context = ssl.create_default_context(cafile=str(ca))
        with context.wrap_socket(link, server_hostname=host.strip("[]")):
            return ""
    except (ssl.SSLError, OSError) as err:
        return str(getattr(err, "verify_message", "") or getattr(err, "reason", "") or err)


def holder_of(port: int) -> str:
    """The process that listens on a TCP port, as far as this user may know."""
    inodes = set(_listening(port))
    for fd in _quietly(lambda: Path("/proc").glob("[0-9]*/fd/*")):
        try:
            target = os.readlink(fd)
        except OSError:
            continue
        if target.startswith("socket:[") and target[8:-1] in inodes:
            pid = fd.parts[2]
            words = (Path("/proc") / pid / "cmdline").read_bytes().split(b"\0")
            line = " ".join(Path(word.decode(errors="replace")).name for word in words[:3])
            return f"{line.strip()} (pid {pid})"
    return ""


def _listening(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        try:
            rows = (Path("/proc/net") / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            words = row.split()
            if words[3] == "0A" and int(words[1].rpartition(":")[2], 16) == port:
                yield words[9]


def _quietly(look: Callable[[], Iterator[Path]]) -> Iterator[Path]:
    """A process may end while it is looked at, and others may not be looked at."""
    found = look()
    while True:
        try:
            yield next(found)
        except StopIteration:
            return
        except OSError:
            continue


def serial(port: str) -> Sign:
    """Can this user open the board's port, and is it free?"""
    from ..factory.ports import explain, holders

    held = holders(port)
    if held:
        return Sign("port", WARN, f"{port} is held by {', '.join(held)}", "end it, then try again")
    if os.access(port, os.R_OK | os.W_OK):
        return Sign("port", OK, f"{port} is free")
    trouble = explain(port)
    return Sign("port", FAIL, f"{trouble.code}: {trouble.what}", trouble.fix)
