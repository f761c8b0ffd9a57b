"""troth duty: the catalogue, one duty with its law, and the tests in its file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..core.duties import Duty
from ..fleet.words import SEVERITIES, count, day, iso, plain
from ..trouble import Trouble
from .output import FAILED, OK, json_option, print_json, put_file, wants_json
from .tables import print_table

if TYPE_CHECKING:
    from ..core.verdict import Catalogue, Line, Regime

F = TypeVar("F", bound=Callable[..., Any])


@click.group()
@json_option
def command() -> None:
    """The catalogue of duties: list, show, check and test its files, begin one of your own."""


def pack_option(verb: F) -> F:
    """`--pack DIR`, as often as there are packs; else those of the home's policy."""
    kind = click.Path(exists=True, file_okay=False, path_type=Path)
    return click.option(
        "--pack", "packs", multiple=True, type=kind, help="your own duties and regimes as well"
    )(verb)


def _catalogue(packs: tuple[Path, ...]) -> Catalogue:
    from ..catalogue import bundled

    return bundled(tuple(map(str, packs)))


@command.command("list")
@click.option("--regime", help="only duties of this regime")
@pack_option
@json_option
def list_duties(regime: str | None, packs: tuple[Path, ...]) -> int:
    """Every duty with its severity, default party and regimes."""
    catalogue = _catalogue(packs)
    ids = {each.id: {line.duty for line in each.lines} for each in catalogue.regimes}
    if regime and regime not in ids:
        raise Trouble(
            "regime.unknown",
            f"no regime {regime[:40]!r}",
            why=f"known: {', '.join(ids)}",
            fix="--regime ID",
        )
    duties = sorted(
        (duty for duty in catalogue.duties if not regime or duty.id in ids[regime]),
        key=lambda duty: SEVERITIES.index(duty.severity),
    )
    if wants_json():
        print_json(
            {
                "schema": "troth/duties/1",
                "catalogue": catalogue.digest,
                "regimes": [
                    {"id": each.id, "title": each.title, "binding": each.binding}
                    for each in catalogue.regimes
                ],
                "duties": [_document(duty) for duty in duties],
            }
        )
        return OK
    print_table(
        ("DUTY", "SEVERITY", "PARTY", "FOR EACH", "NEEDS", "TITLE"),
        (
            (d.id, d.severity.value, d.party.value, d.subject.value, d.needs.value, d.title)
            for d in duties
        ),
    )
    print(f"\n{count(len(duties), 'duty')}, catalogue {catalogue.digest[:12]}")
    return OK


@command.command()
@click.argument("ident", metavar="DUTY")
@pack_option
@json_option
def show(ident: str, packs: tuple[Path, ...]) -> int:
    """What it asks, who owes it, under which clauses, and what to do."""
    catalogue = _catalogue(packs)
    duty = next((each for each in catalogue.duties if each.id == ident), None)
    if duty is None:
        raise Trouble("duty.unknown", f"no duty {ident[:60]!r}", fix="troth duty list")
    if wants_json():
        print_json({"schema": "troth/duty/1", **_document(duty)})
        return OK
    print(f"{duty.id}  {duty.title}")
    print(f"  {duty.rationale}")
    print(f"  {duty.severity.value}, judged for each {duty.subject.value}, from {duty.needs.value}")
    if duty.when_text:
        print(f"  when     {duty.when_text}")
    print(f"  met if   {duty.ok_text}")
    if duty.fresh_text:
        print(f"  while    {duty.fresh_text}")
    if duty.turns_text:
        print(f"  turns at {duty.turns_text}")
    print(f"  owed by  {duty.party.value}", end="")
    cases = ", ".join(f"{case.when}: {case.party.value}" for case in duty.owed)
    print(f" ({cases})" if cases else "")
    for party, remedy in duty.remedies:
        print(f"  {party.value:8} {remedy}")
    print()
    print_table(
        ("REGIME", "PROVISION", "STATUS", "THIS DUTY", "COUNTS", "CONDITION"),
        (
            (
                regime.id,
                clause.provision + ("*" if clause.confidence == "low" else ""),
                clause.status.value,
                "decides" if clause.decides else "supports",
                _counts(line, regime),
                clause.condition + (f"; {clause.severity.value}" if clause.severity else ""),
            )
            for regime in catalogue.regimes
            for line in regime.lines
            for clause in [line.clause]
            if line.duty == duty.id
        ),
    )
    return OK


@command.command()
@click.argument(
    "folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@json_option
def test(folder: Path | None) -> int:
    """Load a catalogue (the bundled one, or FOLDER, or a pack) and run the tests in its files."""
    from ..catalogue import load, run_tests

    whole = folder is None or (folder / "claims.yaml").is_file()
    loaded = load(packs=(folder,)) if folder and not whole else load(folder) if folder else load()
    files = [file for file in loaded.files if whole or file.path.is_relative_to(folder or "")]
    failures = run_tests(files, loaded.claims)
    total = sum(len(file.cases) for file in files)
    if wants_json():
        print_json(
            {
                "schema": "troth/duty-test/1",
                "duties": len(files),
                "tests": total,
                "failures": [
                    {"duty": f.duty, "place": f.place, "expect": f.expect.value, "got": f.got.value}
                    for f in failures
                ],
            }
        )
    else:
        for failure in failures:
            print(f"✘ {failure.place}  {failure.duty}: want {failure.expect}, got {failure.got}")
        print(f"{count(len(files), 'duty')}, {count(total, 'test')}, {len(failures)} failed")
    return FAILED if failures else OK


@command.command()
@click.argument(
    "folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@json_option
def lint(folder: Path | None) -> int:
    """All that is wrong with the bundled catalogue, or a pack in FOLDER, and how to mend it."""
    from ..catalogue.lint import lint

    found = lint(folder) if folder else lint()
    if wants_json():
        rows = [
            {"code": f.code, "file": f.file, "line": f.line, "what": f.what, "fix": f.fix}
            for f in found
        ]
        print_json({"schema": "troth/lint/1", "findings": rows})
        return FAILED if found else OK
    for each in found:
        print(f"{each.file}:{each.line}: [{each.code}] {plain(each.what)}")
        print(f"  fix:  {each.fix}")
    print(f"{count(len(found), 'finding')}")
    return FAILED if found else OK


@command.command()
@click.argument("ident", metavar="ID")
@click.option(
    "--pack",
    default="pack",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="the folder of your own duties",
)
@json_option
def new(ident: str, pack: Path) -> int:
    """Begin a duty of your own: a whole file with its tests, to be changed line by line."""
    from ..catalogue.template import template

    text = template(ident)
    path = pack / "duties" / f"{ident}.yaml"
    if path.exists():
        raise Trouble("duty.exists", f"{path} is there already", fix="another id, or edit it")
    if any(duty.id == ident for duty in _catalogue(()).duties):
        raise Trouble(
            "duty.shadows",
            f"{ident} is a built-in id",
            fix="an id of your own, like acme.no-telnet",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    put_file(path, text.encode())
    if wants_json():
        print_json({"schema": "troth/new/1", "id": ident, "file": str(path)})
        return OK
    print(path)
    print(f"next: edit it, then troth duty lint {pack} and troth duty test {pack}")
    return OK


def _counts(line: Line, regime: Regime) -> str:
    """From when, and until when; a view without a day counts whenever it is looked at."""
    from ..core.verdict import starts

    since, until = starts(line, regime), line.until
    told = [f"from {day(since)}"] if since is not None else []
    told += [f"until {day(until)}"] if until is not None else []
    told += ["for units placed from then"] if line.placed_from is not None else []
    return " ".join(told)


def _document(duty: Duty) -> dict[str, Any]:
    return {
        "id": duty.id,
        "title": {"en": duty.title, "nl": duty.title_nl},
        "rationale": duty.rationale,
        "severity": duty.severity.value,
        "party": duty.party.value,
        "owed": [{"when": case.when, "party": case.party.value} for case in duty.owed],
        "subject": duty.subject.value,
        "needs": duty.needs.value,
        "baseline": duty.baseline,
        "scope": duty.scope,
        "when": duty.when_text,
        "ok": duty.ok_text,
        "fresh": duty.fresh_text,
        "turns": duty.turns_text,
        "remedies": {party.value: remedy for party, remedy in duty.remedies},
        "clauses": [
            {
                "regime": clause.regime,
                "version": clause.version,
                "provision": clause.provision,
                "status": clause.status.value,
                "decides": clause.decides,
                "condition": clause.condition,
                "traits": sorted(clause.traits),
                "severity": (clause.severity or duty.severity).value,
                "confidence": clause.confidence,
                "since": iso(clause.since) if clause.since else None,
                "until": iso(clause.until) if clause.until else None,
            }
            for clause in duty.clauses
        ],
    }
