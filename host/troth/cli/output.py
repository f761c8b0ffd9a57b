"""What every command shares: JSON or text, failures told to people, exit codes."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from ..trouble import Trouble

OK, FAILED, USAGE, NON_COMPLIANT, NOT_TRUSTED, UNKNOWN, BOARD, SERVER = range(8)
INTERRUPTED = 130
TERMINATED = 143

# the first word of a code decides the exit code, where the code itself does not; else it is 1
_EXITS = {
    **dict.fromkeys(("store.missing", "store.url"), USAGE),
    **dict.fromkeys(
        ("bundle.altered", "report.altered", "report.signature", "report.unsigned"), NOT_TRUSTED
    ),
    **dict.fromkeys(
        (
            "baseline",
            "config",
            "declaration",
            "device",
            "duty",
            "evidence",
            "fault",
            "feed",
            "file",
            "home",
            "incident",
            "key",
            "mqtt",
            "policy",
            "regime",
            "release",
            "scenario",
            "statement",
            "usage",
            "waiver",
        ),
        USAGE,
    ),
    **dict.fromkeys(("agent", "board", "chip", "harden", "port", "vm"), BOARD),
    **dict.fromkeys(("server", "tls"), SERVER),
    **dict.fromkeys(
        ("cbor", "claim", "cose", "id", "nonce", "profile", "set", "sig", "size"), NOT_TRUSTED
    ),
}

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)

F = TypeVar("F", bound=Callable[..., Any])


def json_option(command: F) -> F:
    """Give a command or group its own `--json`, so that the flag works before and after it."""

    def remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            ctx.ensure_object(dict)["json"] = True

    return click.option(
        "--json", is_flag=True, expose_value=False, callback=remember, help="print JSON"
    )(command)


def wants_json() -> bool:
    """Has the user asked for JSON, before or after the verb?"""
    obj = click.get_current_context().find_root().obj
    return bool(obj and obj.get("json"))


def print_json(document: dict[str, Any]) -> None:
    """One document on stdout; every document names its schema."""
    print(json.dumps(document, indent=2, ensure_ascii=False))


def put_file(path: Path, content: bytes) -> None:
    """What `-o` names, whole or as it was before; a failure tells its place."""
    put_pieces(path, (content,))


def put_pieces(path: Path, content: Iterable[bytes]) -> str:
    """The same, piece by piece as they are made; returns the SHA-256 of all of them."""
    digest = hashlib.sha256()

    def write(target: Path) -> None:
        with target.open("wb") as out:
            for piece in content:
                digest.update(piece)
                out.write(piece)

    try:
        if path.exists() and not path.is_file():
            write(path)  # a device or a pipe
            return digest.hexdigest()
        part = path.resolve().with_name(f".{path.name}.part")
        try:
            write(part)
            part.replace(path.resolve())
        finally:
            part.unlink(missing_ok=True)
    except OSError as err:
        raise OSError(err.errno, err.strerror, str(path)) from err
    return digest.hexdigest()


def exit_code(code: str) -> int:
    """The exit code that belongs to a stable error code."""
    return _EXITS.get(code, _EXITS.get(code.partition(".")[0], FAILED))


def run(command: click.Command) -> int:
    """Run the command line and turn every ending into an exit code."""
    # a polite end is an orderly one: whoever holds children or half a file lets go of them
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        result = command.main(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as err:
        click.echo(err.format_message())
        return OK
    except click.ClickException as err:
        err.show()
        return _answer(Trouble("usage", err.format_message(), fix="the same command with --help"))
    except Trouble as trouble:
        return _tell(trouble)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        # the reader left; keep the interpreter from complaining about it at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except Exception as err:
        if "--debug" in sys.argv:
            raise
        return _tell(as_trouble(err))
    return result if isinstance(result, int) else OK


def as_trouble(err: Exception) -> Trouble:
    """What else ends a command: a disk that is full, a store that is gone, or a fault of ours."""
    if isinstance(err, OSError) and (err.filename or err.errno in _DISK):
        place = f"{err.filename}: " if err.filename else ""
        fix = "make room, or name a place that you may use"
        return Trouble("file.unusable", f"{place}{err.strerror}", fix=fix)
    if type(err).__name__ == "StoreUnavailable":  # by name: help need not wait for the store
        return Trouble("store.unavailable", f"the store fails: {err}", fix="troth doctor")
    return Trouble(
        "internal",
        f"this is a fault of Troth: {type(err).__name__}: {err}",
        fix="run again with troth --debug ... and report what it prints",
    )


def _tell(trouble: Trouble) -> int:
    """Print what, why and the next command on stderr."""
    print(f"error[{trouble.code}] {trouble.what}", file=sys.stderr)
    if trouble.why:
        print(f"  {trouble.why}", file=sys.stderr)
    if trouble.fix:
        print(f"  fix:  {trouble.fix}", file=sys.stderr)
    return _answer(trouble)


def _answer(trouble: Trouble) -> int:
    """The exit code; who asked for JSON gets a document of the trouble as well."""
    code = exit_code(trouble.code)
    if "--json" in sys.argv:
        print_json(
            {
                "schema": "troth/error/1",
                "code": trouble.code,
                "what": trouble.what,
                "why": trouble.why,
                "fix": trouble.fix,
                "exit": code,
            }
        )
    return code
