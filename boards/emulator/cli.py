"""The emulator's commands: run, list, fault, stop, faults, image, vm. Only this prints."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from emulator import control
from emulator.chips import PROFILES, chip_ids, load_chip
from emulator.hardened import as_burned
from emulator.hardware_key import SIGNERS
from emulator.trouble import USAGE, Trouble

DESCRIBED = re.compile(r"[!-~]{1,31}")  # esp_app_desc.h: 32 bytes with the closing zero
LIST_SCHEMA = "troth/emu/1"
FAULTS_SCHEMA = "troth/faults/1"


def main(words: list[str]) -> int:
    """Run one command; the exit code."""
    try:
        asked = _parser().parse_args(_json_anywhere(words))
        result: int = asked.act(asked)
    except Trouble as err:
        return _tell(err, words)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
    except OSError as err:  # a full disk, a folder that may not be written
        place = f"{err.filename}: " if err.filename else ""
        return _tell(Trouble("emu.file", f"{place}{err.strerror}", "troth doctor"), words)
    return result


def _tell(trouble: Trouble, words: list[str]) -> int:
    """On stderr for people; who asked for JSON gets a document as well."""
    print(trouble, file=sys.stderr)
    if "--json" in words:
        print(json.dumps(trouble.document()))
    return trouble.exit_code


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        raise Trouble("usage", message, f"{self.prog} --help", USAGE)


def _json_anywhere(words: list[str]) -> list[str]:
    """`--json` before the verb means the same as after it."""
    if words[:1] == ["--json"]:
        return [*words[1:], "--json"]
    return words


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="troth emu", description="Boards without hardware.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, help: str, act: Callable[..., int]) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = verbs.add_parser(name, help=help)
        made.set_defaults(act=act)
        made.add_argument("--json", action="store_true")
        return made

    _run_options(verb("run", "boards in the foreground until Ctrl-C", _run))
    verb("list", "the boards that run", _list)
    fault = verb("fault", "give a running board a fault", _fault)
    fault.add_argument("name", metavar="NAME")
    fault.add_argument("fault", metavar="FAULT|none")
    verb("stop", "switch boards off", _stop).add_argument("names", nargs="*", metavar="NAME")
    verb("faults", "every fault and what it must cause", _faults)
    _image_options(verb("image", "build an app image", _image))
    verb("vm", "fetch the MicroPython VM", _vm)
    return parser


def _run_options(run: argparse.ArgumentParser) -> None:
    run.add_argument("-n", type=int, default=1, metavar="N", help="how many boards")
    run.add_argument("--chip", default="esp32c3", choices=chip_ids())
    run.add_argument("--profile", default="P0", choices=PROFILES)
    run.add_argument("--signer", choices=SIGNERS, help="default: efuse-hmac on P1, else soft")
    run.add_argument(
        "--hmac-master", type=Path, metavar="FILE", help="derive the fuse key; default: random"
    )
    run.add_argument("--fault", metavar="F", help="see `troth emu faults`")
    run.add_argument("--files", type=Path, metavar="DIR", help="your main.py and what it needs")
    run.add_argument("--app", type=Path, metavar="APP.BIN", help="the app image to run as")
    run.add_argument(
        "--hardened", type=Path, metavar="DIR", help="a chip of `troth board harden --virtual`"
    )
    run.add_argument("--name", metavar="NAME", help="default: the chip and a number")
    run.add_argument("--scenario", type=Path, metavar="FILE.toml", help="several named boards")
    run.add_argument("--state-dir", type=Path, metavar="DIR", help="keep the boards' folders")
    run.add_argument(
        "--expect", metavar="STATE", help="report to a verifier; end with 0 at STATE, else with 3"
    )


def _image_options(image: argparse.ArgumentParser) -> None:
    image.add_argument("--chip", required=True, choices=chip_ids())
    image.add_argument("--profile", default="P0", choices=PROFILES)
    image.add_argument("--version", required=True)
    image.add_argument("--name", default="micropython", metavar="SWNAME")
    image.add_argument("--secure-version", type=int, metavar="N")
    image.add_argument("--key", type=Path, metavar="PEM", help="RSA-3072; default: your own")
    image.add_argument("--unsigned", action="store_true", help="P2: for its maker to sign")
    image.add_argument("-o", dest="out", type=Path, required=True, metavar="APP.BIN")


def _run(asked: argparse.Namespace) -> int:
    from emulator import orders
    from emulator.supervisor import Supervisor

    if asked.expect:
        raise Trouble(
            "usage.expect", "--expect needs the verifier", "troth emu run --expect STATE", USAGE
        )
    scenario: Path | None = asked.scenario
    wanted = orders.of_scenario(scenario) if scenario else orders.of_options(asked)
    wanted = [as_burned(order) for order in wanted]
    orders.check(wanted)

    def ready(rows: list[dict[str, Any]]) -> None:
        if asked.json:
            print(json.dumps({"schema": LIST_SCHEMA, "boards": rows}), flush=True)
        else:
            _print_rows(rows)

    async def serve() -> None:
        await Supervisor(wanted, asked.state_dir and asked.state_dir.resolve()).run(ready)

    asyncio.run(serve())
    return 0


def _print_rows(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        state = f"  {row['state']}" if row["state"] != "running" else ""
        fault = f"  {row['fault']}" if row["fault"] else ""
        where = f"{row['name']}  {row['chip']}  {row['profile']}  {row['port']}"
        print(f"{where}{state}{fault}", flush=True)


def _list(asked: argparse.Namespace) -> int:
    rows = control.boards()
    if asked.json:
        print(json.dumps({"schema": LIST_SCHEMA, "boards": rows}))
    else:
        _print_rows(rows)
    return 0


def _fault(asked: argparse.Namespace) -> int:
    control.set_fault(asked.name, asked.fault)
    if asked.json:
        rows = [row for row in control.boards() if row["name"] == asked.name]
        print(json.dumps({"schema": LIST_SCHEMA, "boards": rows}))
    return 0


def _stop(asked: argparse.Namespace) -> int:
    count = control.stop(tuple(asked.names))
    if asked.json:
        print(json.dumps({"schema": LIST_SCHEMA, "boards": control.boards()}))
    else:
        print(f"{count} switched off", file=sys.stderr)
    return 0


def _faults(asked: argparse.Namespace) -> int:
    from emulator.faults import as_rows

    rows = as_rows()
    if asked.json:
        print(json.dumps({"schema": FAULTS_SCHEMA, "faults": rows}))
        return 0
    for row in rows:
        causes = ", ".join((*row["duties"], *row["findings"], *row["rejected"]))
        print(f"{row['name']:20} {row['title']}\n{'':20} {causes} -> {row['state']}")
    return 0


def _image(asked: argparse.Namespace) -> int:
    from emulator.folder import release_image

    for word in (asked.version, asked.name):
        if not DESCRIBED.fullmatch(word):
            what = f"{word!r} does not fit an app descriptor"
            raise Trouble("image.word", what, "1 to 31 visible ASCII characters", USAGE)
    image = release_image(
        load_chip(asked.chip),
        asked.profile,
        asked.name,
        asked.version,
        asked.secure_version,
        asked.key,
        signed=not asked.unsigned,
    )
    try:
        asked.out.write_bytes(image)
    except OSError as err:
        if asked.out.is_file():
            asked.out.unlink()  # half an image is none
        what = f"{asked.out}: {err.strerror}"
        raise Trouble("image.unwritable", what, "write it elsewhere", USAGE) from err
    if asked.json:
        print(json.dumps({"file": str(asked.out), "bytes": len(image)}))
    return 0


def _vm(asked: argparse.Namespace) -> int:
    from emulator.vm import find_vm

    vm = find_vm()
    if asked.json:
        print(json.dumps({"argv": list(vm.argv), "heap_factor": vm.heap_factor}))
    else:
        print(" ".join(vm.argv))
    return 0
