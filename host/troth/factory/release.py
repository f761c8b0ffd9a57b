"""A release as one signed record: what was built, what it must measure, what the maker states.

`read_release` is the door: nothing becomes a `Release` before the record's signature holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import (
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)

from ..core.reference import Release, Statement
from ..trouble import Trouble
from .image import read_image
from .manifest import SETTINGS, board_tree, code_digest, read_settings, settings_digest
from .secrets import Hit, scan_release
from .signed import open_record, record_id, sign_record
from .statement import from_map, to_map

_RESIGN = "ask who signed it for the record again"

_FIELDS: dict[str, type | tuple[type, ...]] = {
    "model": str,
    "chip": str,
    "version": str,
    "released": int,
    "app_digest": bytes,
    "code_digest": bytes,
    "cfg_digest": bytes,
    "secure_version": int,
    "boot_key_digests": list,
    "anti_rollback": bool,
    "secret_hits": int,
    "statement": (dict, type(None)),
}


@dataclass(frozen=True, slots=True)
class Draft:
    """What `release add` found in the build, before it is signed."""

    said: Mapping[str, Any]
    hits: tuple[Hit, ...]
    image_version: str
    files_version: str
    frozen_agent: bool

    def sign(self, key: EllipticCurvePrivateKey) -> bytes:
        """The one signed record of this release."""
        return sign_record(self.said, "release", key)

    def release(self) -> Release:
        """What it would be once signed; nobody trusts it yet, so it has no id."""
        return _release("", self.said)


def draft_release(
    image: bytes,
    files: Mapping[str, bytes],
    *,
    version: str,
    released: int,
    model: str | None = None,
    statement: Statement | None = None,
    anti_rollback: bool | None = None,
) -> Draft:
    """Measure a build. Raises Trouble `release.*` or `file.*`."""
    app = read_image(image)
    settings = _settings(files)
    named = model or settings["hwmodel"]
    if not 1 <= len(version) <= 64:
        raise Trouble("release.version", "a version has 1 to 64 characters", fix="--version 1.0.0")
    _check_statement(statement, named, version)
    tree = board_tree(files, frozen=app.frozen_agent)
    hits = scan_release(image, files)
    said = {
        "model": named,
        "chip": app.chip,
        "version": version,
        "released": released,
        "app_digest": bytes.fromhex(app.digest),
        "code_digest": bytes.fromhex(code_digest(tree)),
        "cfg_digest": bytes.fromhex(settings_digest(settings)),
        "secure_version": app.secure_version,
        "boot_key_digests": [bytes.fromhex(digest) for digest in app.boot_key_digests],
        # a version number that fuses can hold back is the only sign of it in an image
        "anti_rollback": app.secure_version > 0 if anti_rollback is None else anti_rollback,
        "secret_hits": len(hits),
        "statement": to_map(statement) if statement else None,
    }
    return Draft(said, hits, app.version, settings["swversion"], app.frozen_agent)


def read_release(record: bytes, key: EllipticCurvePublicKey) -> Release:
    """Open a signed release. Raises Trouble `release.unsigned`, `.signature` or `.content`."""
    said = open_record(record, "release", key)
    if set(said) != set(_FIELDS):
        raise _content(f"fields differ: {', '.join(sorted(map(str, set(said) ^ set(_FIELDS))))}")
    for name, kind in _FIELDS.items():
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if type(said[name]) not in kinds:
            raise _content(f"{name} is of the wrong type")
    return _release(record_id(record), said)


def _release(ident: str, record: Mapping[str, Any]) -> Release:
    said = dict(record)
    statement = said.pop("statement")
    boot_keys = said.pop("boot_key_digests")
    digests = {name: said.pop(f"{name}_digest").hex() for name in ("app", "code", "cfg")}
    return Release(
        id=ident,
        app_digest=digests["app"],
        code_digest=digests["code"],
        cfg_digest=digests["cfg"],
        boot_key_digests=tuple(digest.hex() for digest in boot_keys),
        statement=from_map(statement) if statement is not None else None,
        **said,
    )


def sign_withdrawal(release: str, at: int, reason: str, key: EllipticCurvePrivateKey) -> bytes:
    """The maker takes a release back: from now on nobody should run it."""
    said = {"release": bytes.fromhex(release), "at": at, "reason": reason}
    return sign_record(said, "withdrawal", key)


def read_withdrawal(record: bytes, key: EllipticCurvePublicKey) -> tuple[str, int, str]:
    """The release that a signed withdrawal names, since when, and why."""
    said = open_record(record, "withdrawal", key)
    release, at, reason = said.get("release"), said.get("at"), said.get("reason")
    if not isinstance(release, bytes) or type(at) is not int or not isinstance(reason, str):
        raise Trouble(
            "withdrawal.content", "the withdrawal does not say what it withdraws", fix=_RESIGN
        )
    return release.hex(), at, reason


def _settings(files: Mapping[str, bytes]) -> dict[str, Any]:
    if SETTINGS not in files:
        raise Trouble(
            "release.settings",
            "the files hold no troth.json",
            why="it declares model, version, interval and services of the product",
            fix="write troth.json into the folder that --files names",
        )
    return read_settings(files[SETTINGS], "troth.json")


def _check_statement(statement: Statement | None, model: str, version: str) -> None:
    if statement is None:
        return
    for name in ("statement_models", "models"):
        covered = getattr(statement, name)
        if covered is not None and model not in covered:
            raise Trouble(
                "statement.model",
                f"the statement does not cover {model}",
                why=f"{name}: {', '.join(covered)}",
                fix=f"add the model to {name}, or give the statement that covers it",
            )
    if not statement.covers(version):
        raise Trouble(
            "statement.version",
            f"the statement does not cover version {version}",
            why=f"versions: {statement.versions}",
            fix="widen versions, or give the statement that covers it",
        )


def _content(why: str) -> Trouble:
    return Trouble(
        "release.content", "the record is signed, yet is no release", why=why, fix=_RESIGN
    )
