"""troth duty: the catalogue, one duty with its law, and the tests in its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..core.duties import Duty
from ..fleet.words import SEVERITIES, count
from ..trouble import Trouble
from .output import FAILED, OK, json_option, print_json, wants_json
from .tables import print_table


@click.group()
@json_option
def command() -> None:
    """The catalogue of duties: list, show one, run the tests in its files."""


@command.command("list")
@click.option("--regime", help="only duties of this regime")
@json_option
def list_duties(regime: str | None) -> int:
    """Every duty with its severity, default party and regimes."""
    from ..catalogue import bundled

    catalogue = bundled()
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
@json_option
def show(ident: str) -> int:
    """What it asks, who owes it, under which clauses, and what to do."""
    from ..catalogue import bundled

    duty = next((each for each in bundled().duties if each.id == ident), None)
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
    if duty.turns_text:
        print(f"  turns at {duty.turns_text}")
    print(f"  owed by  {duty.party.value}", end="")
    cases = ", ".join(f"{case.when}: {case.party.value}" for case in duty.owed)
    print(f" ({cases})" if cases else "")
    for party, remedy in duty.remedies:
        print(f"  {party.value:8} {remedy}")
    print()
    print_table(
        ("REGIME", "PROVISION", "STATUS", "THIS DUTY", "CONDITION"),
        (
            (
                clause.regime,
                clause.provision + ("*" if clause.confidence == "low" else ""),
                clause.status.value,
                "decides" if clause.decides else "supports",
                clause.condition,
            )
            for clause in duty.clauses
        ),
    )
    return OK


@command.command()
@click.argument(
    "folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@json_option
def test(folder: Path | None) -> int:
    """Load a catalogue (the bundled one, or FOLDER) and run the tests in its duty files."""
    from ..catalogue import load, run_tests

    loaded = load(folder) if folder else load()
    failures = run_tests(loaded.files, loaded.claims)
    total = sum(len(file.cases) for file in loaded.files)
    if wants_json():
        print_json(
            {
                "schema": "troth/duty-test/1",
                "duties": len(loaded.files),
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
        print(f"{count(len(loaded.files), 'duty')}, {count(total, 'test')}, {len(failures)} failed")
    return FAILED if failures else OK


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
                "confidence": clause.confidence,
            }
            for clause in duty.clauses
        ],
    }
