"""Loads a catalogue: the claims, every duty, every regime, and the digest that names the text."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from ..core.verdict import Catalogue
from ..trouble import Trouble
from .claims import Claim, read_claims
from .desk import Desk
from .dutyfile import DutyFile, read_duty
from .engine import Engine
from .lines import Table
from .provisionfile import Provisions, read_provisions
from .regimefile import build_regime, read_header

HERE = Path(__file__).parent
KINDS = ("duties", "regimes", "provisions")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A catalogue with what only its own tests and pages need."""

    catalogue: Catalogue
    files: tuple[DutyFile, ...]
    claims: dict[str, Claim]
    provisions: Mapping[str, Provisions]


def load(folder: Path = HERE, packs: Sequence[Path] = (), *, tests: bool = True) -> Loaded:
    """Load claims.yaml, duties, regimes and provisions of a folder, and of packs on top of it.

    Trouble at the first flaw. A pack asks the names that are there and never takes a built-in id.
    Without `tests` those of the folder's own duties are left unread; those of packs never are.
    """
    claims = read_claims(folder / "claims.yaml")
    headers = _headers((folder, *packs))
    provisions = _provisions((folder, *packs), headers)
    desk = Desk(Engine(claims), claims, headers, provisions)
    own = desk if tests else replace(desk, tests=False)
    files = tuple(
        read_duty(path, own if path.is_relative_to(folder) else desk)
        for path in _duties((folder, *packs))
    )
    duties = tuple(file.duty for file in files)
    regimes = tuple(build_regime(header, duties) for header in headers.values())
    return Loaded(Catalogue(duties, regimes, _digests((folder, *packs))), files, claims, provisions)


@cache
def bundled(packs: tuple[str, ...] = ()) -> Catalogue:
    """The catalogue that comes with Troth, and the operator's own packs; loaded once."""
    return load(packs=tuple(Path(pack) for pack in packs), tests=False).catalogue


def digest(packs: tuple[str, ...] = ()) -> str:
    """What `bundled` would bear as its digest, without type-checking a rule."""
    return _digests((HERE, *map(Path, packs)))


def _headers(folders: Sequence[Path]) -> dict[str, Table]:
    found = {
        path.stem: read_header(path) for path in _files(folders[0] / "regimes", "regime.empty")
    }
    for path in _of_packs(folders, "regimes"):
        if path.stem in found:
            raise shadows(path)
        found[path.stem] = read_header(path)
    return found


def _provisions(folders: Sequence[Path], headers: Mapping[str, Table]) -> dict[str, Provisions]:
    found: dict[str, Provisions] = {}
    for path in (*_yaml(folders[0] / "provisions"), *_of_packs(folders, "provisions")):
        if path.stem in found:
            raise shadows(path)
        found[path.stem] = read_provisions(path, headers)
    return found


def _duties(folders: Sequence[Path]) -> list[Path]:
    found = {path.stem: path for path in _files(folders[0] / "duties", "duty.empty")}
    for path in _of_packs(folders, "duties"):
        if path.stem in found:
            raise shadows(path)
        found[path.stem] = path
    return sorted(found.values(), key=lambda path: path.stem)


def _of_packs(folders: Sequence[Path], kind: str) -> list[Path]:
    for pack in folders[1:]:
        if not any((pack / each).is_dir() for each in KINDS):
            fix = "name a folder with duties/, regimes/ or provisions/ in it"
            raise Trouble("duty.empty", f"{pack.name} is no pack", why=str(pack), fix=fix)
    return [path for pack in folders[1:] for path in _yaml(pack / kind)]


def shadows(path: Path) -> Trouble:
    """The complaint about a pack's file under an id that is taken."""
    return Trouble(
        "duty.shadows",
        f"{path.name}:1: {path.stem} is the id of another, a pack may not replace it",
        why=f"{path}:1",
        fix="give it an id of your own",
    )


def _yaml(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.yaml"))


def _files(folder: Path, code: str) -> list[Path]:
    found = _yaml(folder)
    if not found:
        raise Trouble(code, f"no files in {folder.name}/", why=str(folder))
    return found


def _digests(folders: Sequence[Path]) -> str:
    """Of the catalogue alone as it always was; with packs of all of them in their order."""
    found = [_digest(folder) for folder in folders]
    return found[0] if len(found) == 1 else hashlib.sha256("".join(found).encode()).hexdigest()


def _digest(folder: Path) -> str:
    """SHA-256 over the names and bytes of all files: one changed word is another catalogue."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*.yaml")):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()
