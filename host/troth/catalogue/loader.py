"""Loads a catalogue: the claims, every duty, every regime, and the digest that names the text."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..core.verdict import Catalogue
from ..trouble import Trouble
from .claims import Claim, read_claims
from .dutyfile import Desk, DutyFile, read_duty
from .engine import Engine
from .provisionfile import Provisions, read_provisions
from .regimefile import build_regime, read_header

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Loaded:
    """A catalogue with what only its own tests and pages need."""

    catalogue: Catalogue
    files: tuple[DutyFile, ...]
    claims: dict[str, Claim]
    provisions: Mapping[str, Provisions]


def load(folder: Path = HERE) -> Loaded:
    """Load claims.yaml, duties/*.yaml and regimes/*.yaml of a folder; Trouble at the first flaw."""
    claims = read_claims(folder / "claims.yaml")
    headers = {path.stem: read_header(path) for path in _files(folder / "regimes", "regime.empty")}
    provisions = {
        path.stem: read_provisions(path, headers)
        for path in sorted((folder / "provisions").glob("*.yaml"))
    }
    desk = Desk(Engine(claims), claims, headers, provisions)
    files = tuple(read_duty(path, desk) for path in _files(folder / "duties", "duty.empty"))
    duties = tuple(file.duty for file in files)
    regimes = tuple(build_regime(header, duties) for header in headers.values())
    return Loaded(Catalogue(duties, regimes, _digest(folder)), files, claims, provisions)


@cache
def bundled() -> Catalogue:
    """The catalogue that comes with Troth, loaded once."""
    return load().catalogue


def _files(folder: Path, code: str) -> list[Path]:
    found = sorted(folder.glob("*.yaml"))
    if not found:
        raise Trouble(code, f"no files in {folder.name}/", why=str(folder))
    return found


def _digest(folder: Path) -> str:
    """SHA-256 over the names and bytes of all files: one changed word is another catalogue."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*.yaml")):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()
