"""A board without a prompt, enrolled by what its line burned: before its first word, and for it.

Nobody can ask such a board for its key. Nobody needs to: the line derived the key, burned it and
read every fuse back, so its own record is the better witness. The first report then proves that the
chip holds that key and runs a released image; until then the unit has no state (decision 4).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..core.device import Profile, Provisioning
from ..core.keyring import KeyRing
from ..store import Store
from ..trouble import Trouble
from . import enrol
from .enrol import Seen
from .harden import UNIT
from .image import AppImage, read_image
from .manifest import SETTINGS, board_tree, code_digest, read_settings
from .order import CA_FILE, Order

VFS = "vfs"  # in the chip's folder: what its file system holds
_SIGNER = "efuse-hmac"


def register(folder: Path, order: Order, store: Store, ring: KeyRing, *, at: int) -> dict[str, Any]:
    """Enrol one hardened chip and write the files of its board. Raises Trouble."""
    files = order.files or {}
    settings = {**read_settings(files.get(SETTINGS, b""), "troth.json"), "signer": _SIGNER}
    seen = _seen(folder, settings["hwmodel"])
    if order.model not in (None, seen.model):
        raise Trouble(
            "board.model",
            f"troth.json says model {seen.model}, not {order.model}",
            fix="name the right --files, or leave --model out",
        )
    tree = board_tree(files, frozen=True)
    image = read_image(_read(folder, "app-signed.bin"))
    _check_build(image, seen)
    if not order.seal_anyway:
        _check_released(store, seen, image, tree)
    key = enrol.known_key(seen, "", ring)
    before = enrol.check(store, seen, key.key_id, rekey=order.rekey)
    row = enrol.draft(
        store, seen, order.sale, before, name=order.name, given=order.sale_given, at=at
    )
    _write(folder / VFS, {**tree, SETTINGS: order.settle(settings, seen.mac), CA_FILE: order.ca})
    line = Provisioning(at, seen.profile, seen.fuses, bytes(32))  # no claims-set was seen yet
    done = enrol.enrol(store, before, row, seen, line, key.key_id, proof=None, at=at)
    return {**done, "sealed": True, "notes": [f"its file system: {folder / VFS}"]}


def _seen(folder: Path, model: str) -> Seen:
    try:
        said = json.loads(_read(folder, UNIT))
        chip, mac, fuses, key = said["chip"], said["mac"], said["fuses"], said["key"]
        kid = bytes.fromhex(key) if key else None
    except (ValueError, KeyError, TypeError) as err:
        raise _unfinished(folder, f"{UNIT} cannot be read") from err
    if kid is None:
        raise Trouble(
            "harden.keyless",
            f"{chip} has no HMAC peripheral: the line burned no key that could be registered",
            fix="build it with a prompt first, with an ATECC608: troth provision --port P --seal",
        )
    return Seen(mac, chip, None, "efuse", fuses, Profile.P2, model, kid)


def _check_build(image: AppImage, seen: Seen) -> None:
    """What fuses cannot show: that the signed image is for this chip, with the agent inside."""
    if image.chip == seen.chip and image.frozen_agent and image.boot_key_digests:
        return
    raise Trouble(
        "board.profile",
        "the image of this chip is no hardened build",
        why=f"for {image.chip}, frozen agent {'yes' if image.frozen_agent else 'no'},"
        f" {len(image.boot_key_digests)} signatures",
        fix="build it from the chip's hardened definition: troth board new",
    )


def _check_released(store: Store, seen: Seen, image: AppImage, tree: dict[str, bytes]) -> None:
    """A board that nobody can type at must not leave the line with what nobody released."""
    code = code_digest(tree)
    for row in store.releases(seen.model):
        release = row.release
        if (release.app_digest, release.code_digest) == (image.digest, code):
            return
    raise Trouble(
        "board.not-released",
        "the board runs what was not released: nothing was registered",
        why=f"no release of {seen.model} has this app and these files",
        fix="release them: troth release add; --seal-anyway enrols it as it is",
    )


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as err:
        raise _unfinished(folder, f"{name}: {err.strerror}") from err


def _unfinished(folder: Path, why: str) -> Trouble:
    return Trouble(
        "harden.unfinished",
        f"{folder} holds no chip that was hardened to the end",
        why=why,
        fix="troth board harden, to its last step",
    )


def _write(folder: Path, tree: dict[str, bytes]) -> None:
    for path, text in tree.items():
        target = folder / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text)
