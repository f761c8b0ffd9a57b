"""Doing it: each fault at the place where it would be on a real board, and taking it away again."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from emulator import faults
from emulator.board import Board
from emulator.chips import load_chip
from emulator.folder import HERE, mac_of, release_image
from emulator.image import app_name, sign_image, tamper
from emulator.trouble import Trouble

OLD_VERSION = "1.3.9"
WEBREPL_LINES = "\nimport webrepl\n\nwebrepl.start()\n"
WEBREPL_CONFIG = 'PASS = "bench-1"\n'
UNBURNED = ("DIS_PAD_JTAG", "HARD_DIS_JTAG", "SOFT_DIS_JTAG", "JTAG_DISABLE")
Boards = dict[str, Board]


def spare_fuses(fault: str | None) -> tuple[str, ...]:
    """Fuses that a faulty line leaves unburned."""
    return UNBURNED if fault == "debug-open" else ()


def build_in(board: Board, fault: str, others: Boards) -> None:
    """At the factory: the board is still off, and may stay as it is."""
    if fault == "webrepl-shipped":
        _ship_webrepl(board)
    elif faults.FAULTS[fault].when == faults.FIELD:
        _DO[fault](board, others)
    _label(board, fault)


def set_fault(board: Board, fault: str, others: Boards) -> None:
    """On a running board: power off, do it, power on. `none` takes away what was done."""
    faults.check_field(fault)
    if fault != "none":
        faults.check_profile(fault, board.order.profile)
    elif board.fault:
        faults.check_field(board.fault)
    board.power_off()
    try:
        _undo(board)
        _label(board, "none")
        if fault in _DO:
            _DO[fault](board, others)
        _label(board, fault)
    except (Trouble, OSError, subprocess.SubprocessError):
        _undo(board)  # half a fault would be another one
        raise
    finally:
        board.power_on()


def _label(board: Board, fault: str) -> None:
    board.fault = None if fault == "none" else fault
    board.rewrite_facts(fault=board.fault)


def _undo(board: Board) -> None:
    _patch(board)
    kept = board.at / "app.saved"
    if kept.is_file():
        kept.replace(board.at / "app.bin")
    list_of_jobs = board.at / "undo.json"
    if list_of_jobs.is_file():
        board.workbench(*json.loads(list_of_jobs.read_text()))
        list_of_jobs.unlink()


def _patch(board: Board, *modules: str) -> None:
    """Hidden modules that the ROM loads before the board's own code."""
    frozen = board.at / "frozen"
    for path in sorted((HERE / "rom" / "faults").glob("*.py")):
        link = frozen / path.name
        link.unlink(missing_ok=True)
        if modules and path.stem in (*modules, "_rogue"):
            link.symlink_to(path)
    board.rewrite_facts(patches=list(modules))


def _patched(module: str) -> Callable[[Board, Boards], None]:
    return lambda board, _others: _patch(board, module)


def _edit(board: Board, path: str, *jobs: Mapping[str, object]) -> None:
    """Edit the flash at one file; how it was is remembered."""
    _remember(board, path)
    board.workbench(*jobs)


def _remember(board: Board, path: str) -> None:
    saved = "saved" + path.replace("/", "-")
    (board.at / saved).unlink(missing_ok=True)
    board.workbench({"save": path, "to": saved})
    back: dict[str, str] = {"remove": path}
    if (board.at / saved).is_file():
        back = {"put": path, "from": str(board.at / saved)}
    undo = board.at / "undo.json"
    before = json.loads(undo.read_text()) if undo.is_file() else []
    undo.write_text(json.dumps([*before, back]))


def _technician(board: Board, _others: Boards) -> None:
    _edit(board, "/webrepl_cfg.py", {"put": "/webrepl_cfg.py", "text": WEBREPL_CONFIG})
    _edit(board, "/boot.py", {"append": "/boot.py", "text": WEBREPL_LINES})


def _ship_webrepl(board: Board) -> None:
    """The release brings it in its own files; without a release the line lays it down."""
    if board.order.files is None:
        board.workbench(
            {"put": "/webrepl_cfg.py", "text": WEBREPL_CONFIG},
            {"append": "/boot.py", "text": WEBREPL_LINES},
        )


def _changed_file(board: Board, _others: Boards) -> None:
    _edit(board, "/main.py", {"append": "/main.py", "text": "\n# edited in the field\n"})


def _flash_app(board: Board, image: bytes) -> None:
    app = board.at / "app.bin"
    shutil.copyfile(app, board.at / "app.saved")
    app.write_bytes(image)


def _tampered(board: Board, _others: Boards) -> None:
    """On a hardened board only the holder of the signing key can do this; so he does."""
    image = tamper((board.at / "app.bin").read_bytes())
    if board.order.profile == "P2":
        from emulator.signing import boot_key

        schemes = load_chip(board.order.chip).boot_schemes
        image = sign_image(image, boot_key(schemes=schemes))
    _flash_app(board, image)


def _old_firmware(board: Board, _others: Boards) -> None:
    """The build of the same name with an older version, and the settings that went with it."""
    name = app_name((board.at / "app.bin").read_bytes())
    chip = load_chip(board.order.chip)
    _flash_app(board, release_image(chip, board.order.profile, name, OLD_VERSION))
    settings = {"settings": "/troth.json", "set": {"swversion": OLD_VERSION}}
    _edit(board, "/troth.json", settings)


def _impostor(board: Board, others: Boards) -> None:
    victim = _victim(board, others)
    (board.at / "victim.ueid").write_bytes(mac_of(victim.order))
    (board.at / "victim.report").write_bytes(_catch_report(victim))
    _patch(board, "impostor")


def _victim(board: Board, others: Boards) -> Board:
    for other in others.values():
        if other is not board and "key" in json.loads((other.at / "nvs.json").read_text()).get(
            "troth", {}
        ):
            return other
    raise Trouble(
        "fault.alone",
        "an impostor needs another enrolled board in the same run",
        "troth emu run -n 2, provision both, then: troth emu fault NAME impostor",
    )


def _catch_report(victim: Board) -> bytes:
    """A report that the other board would have sent, made on a copy of it."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / victim.order.name
        shutil.copytree(victim.at, copy, symlinks=True)
        try:
            victim.run_once("import _capture", copy)
        except (Trouble, subprocess.TimeoutExpired) as err:
            what = f"no report of {victim.order.name}: {err}"
            raise Trouble("fault.capture", what, "provision it, then try again") from err
        return (copy / "report.cbor").read_bytes()


_DO: dict[str, Callable[[Board, Boards], None]] = {
    "webrepl-on": _patched("webrepl_on"),
    "webrepl-technician": _technician,
    "tampered-firmware": _tampered,
    "old-firmware": _old_firmware,
    "changed-file": _changed_file,
    "open-ap": _patched("open_ap"),
    "wrong-key": _patched("wrong_key"),
    "replay": _patched("replay"),
    "impostor": _impostor,
    "silent": _patched("silent"),
}
