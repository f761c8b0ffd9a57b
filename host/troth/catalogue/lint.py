"""All that is wrong with a catalogue or a pack, with file, line and remedy; the loader stops at the
first flaw, this reads on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..core.duties import Duty
from ..trouble import Trouble
from . import lines
from .checked import Call, Const, Items, Name, Node, Quantified
from .claims import Claim, read_claims
from .coverage import coverage
from .desk import Desk
from .dutyfile import DutyFile, flaws, read_duty
from .engine import Engine
from .lines import REMEDIES, Table
from .loader import HERE, KINDS, shadows
from .provisionfile import Provisions, read_provisions
from .regimefile import build_regime, read_header
from .testing import run_tests


@dataclass(frozen=True, slots=True)
class Finding:
    code: str
    file: str
    line: int
    what: str
    fix: str


T = TypeVar("T")


def lint(folder: Path = HERE) -> tuple[Finding, ...]:
    """Read a whole catalogue, or a pack on top of the built-in one, and tell of every flaw."""
    whole = (folder / "claims.yaml").is_file()
    base = folder if whole else HERE
    if not any((folder / kind).is_dir() for kind in KINDS):
        fix = "name a folder with duties/, regimes/ or provisions/ in it"
        raise Trouble("duty.empty", f"{folder.name} is no pack", why=str(folder), fix=fix)
    told: list[Trouble] = []
    claims = read_claims(base / "claims.yaml")
    headers = {path.stem: read_header(path) for path in _yaml(HERE / "regimes") if not whole}
    headers |= _read(folder, "regimes", headers, read_header, told)
    known = {
        path.stem: read_provisions(path, headers)
        for path in _yaml(HERE / "provisions")
        if not whole
    }
    own = _read(folder, "provisions", known, lambda path: read_provisions(path, headers), told)
    desk = Desk(Engine(claims), claims, headers, known | own)
    taken = {path.stem for path in _yaml(HERE / "duties") if not whole}
    files = _duties(folder, taken, desk, told)
    told += _coverage(folder, headers, known | own, [file.duty for file in files])
    found = dict.fromkeys(map(_finding, told))  # once, whoever stumbled over it
    return tuple(sorted(found, key=lambda each: (each.file, each.line, each.what)))


def _read(
    folder: Path,
    kind: str,
    taken: Mapping[str, object],
    read: Callable[[Path], T],
    told: list[Trouble],
) -> dict[str, T]:
    found = {}
    for path in _yaml(folder / kind):
        told += lines.anchors(path)
        if path.stem in taken:
            told.append(shadows(path))
            continue
        try:
            lines.read(path, told.append)
            found[path.stem] = read(path)
        except Trouble as flaw:
            told.append(flaw)
    return found


def _duties(folder: Path, taken: set[str], desk: Desk, told: list[Trouble]) -> list[DutyFile]:
    found = []
    for path in _yaml(folder / "duties"):
        if path.stem in taken:
            told.append(shadows(path))
        before = len(told)
        told += lines.anchors(path)
        try:
            table = lines.read(path, told.append)
        except Trouble as flaw:
            told.append(flaw)
            continue
        told += flaws(table, desk)
        if len(told) == before:
            file = read_duty(path, desk)
            told += _vacuous(file, table, desk.claims)
            told += _failing(file, desk.claims)
            found.append(file)
    return found


def _vacuous(file: DutyFile, table: Table, claims: Mapping[str, Claim]) -> Iterator[Trouble]:
    """`all()` over an empty list is true, and so is that none exists, or that the list is empty:
    who cannot list everything could pass by silence.
    """
    guarded = set().union(*(_sized(expression.tree) for expression in file.expressions))
    for expression in file.expressions:
        for how, over in _every(expression.tree):
            claim = claims.get(over)
            if claim and claim.home in "dvf" and not claim.whole:
                what = f"{how} over {over}, which nobody can list in full"
                yield table.refuse("duty.vacuous", what, "ok")
            if over not in guarded:
                what = f"{how} over {over} passes when it is empty"
                yield table.refuse("duty.vacuous", what, "ok")


def _failing(file: DutyFile, claims: Mapping[str, Claim]) -> Iterator[Trouble]:
    """Tests of the file that say something else than its rule."""
    for each in run_tests([file], claims):
        what = f"{each.place}: a test expects {each.expect}, and the rule says {each.got}"
        fix = "mend the rule, or what the test expects of it"
        yield Trouble("duty.tests", what, why=str(file.path.with_name(each.place)), fix=fix)


def _every(node: Node, negated: bool = False) -> Iterator[tuple[str, str]]:
    """The lists of which something is said in full, and how."""
    match node:
        case Quantified(every, _, Name(name), _) if every is not negated:
            yield ("all()" if every else "no exists()"), name
        case Call("_==_", (Call("size", (Name(name),)), Const(0))):
            yield "size() == 0", name
        case Call("!_", (inner,)):
            yield from _every(inner, not negated)
            return
    for below in _below(node):
        yield from _every(below, negated)


def _sized(node: Node) -> set[str]:
    """The lists whose size the expression asks."""
    match node:
        case Call("size", (Name(name),)):
            return {name}
    return set().union(*(_sized(below) for below in _below(node)))


def _below(node: Node) -> tuple[Node, ...]:
    match node:
        case Call(_, args):
            return args
        case Items(items):
            return items
        case Quantified(_, _, over, test):
            return (over, test)
        case Name() | Const():
            return ()


def _coverage(
    folder: Path,
    headers: Mapping[str, Table],
    provisions: Mapping[str, Provisions],
    duties: list[Duty],
) -> Iterator[Trouble]:
    """Every provision is decided, supported, or listed with the reason why not."""
    for path in _yaml(folder / "regimes"):
        listed = provisions.get(path.stem)
        if listed is None or not listed.table.path.is_relative_to(folder):
            continue
        found = coverage(build_regime(headers[path.stem], duties), listed)
        at = listed.table
        for provision in found.unexplained:
            what = f"{provision} is answered by no duty, and nobody says why"
            yield at["provisions"].refuse("regime.coverage", what, provision)
        for provision in found.needless:
            what = f"{provision} stands under uncovered, and a duty answers it"
            yield at["provisions"].refuse("regime.coverage", what, provision)


def _finding(flaw: Trouble) -> Finding:
    """A complaint of the loader: `file:line: what`, and the path with the line behind it."""
    file, _, line = flaw.why.rpartition(":")
    what = flaw.what.partition(": ")[2] or flaw.what
    fix = flaw.fix or REMEDIES.get(flaw.code, "edit the line")
    if not line.isdigit():
        return Finding(flaw.code, flaw.what, 1, flaw.what, fix)
    return Finding(flaw.code, file, int(line), what, fix)


def _yaml(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.yaml"))
