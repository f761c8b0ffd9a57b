"""troth device: the fleet, one unit with its proofs, and what changed when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..core.device import Lifecycle
from ..fleet.words import OUTCOME_GLYPH, STATE_GLYPH, ago, count, iso, plain
from . import documents, lifecycle, rotate
from .desk import as_of_option, db_option, open_desk
from .output import OK, json_option, print_json, wants_json
from .tables import print_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..fleet.gaps import Missing
    from ..store.rows import EvidenceRow, IntervalRow, StateRow

_GAPS = 12  # that are told one by one


@click.group()
@json_option
@db_option
def command() -> None:
    """List devices, show one with its proofs, read its history, take one out of service."""


for _step in (
    *(lifecycle.suspend, lifecycle.resume, lifecycle.retire),
    *(lifecycle.modified, lifecycle.revoke_key),
):
    command.add_command(_step)
command.add_command(rotate.rotate_key)


@command.command("list")
@click.argument("text", required=False, default="")
@click.option("--state", help="only this state, e.g. non-compliant")
@click.option("--model", help="only this model")
@click.option("--duty", help="only devices that fail this duty")
@as_of_option
@json_option
@db_option
def list_devices(
    text: str, state: str | None, model: str | None, duty: str | None, as_of: int | None
) -> int:
    """Every device with its state; TEXT narrows by name, model, chip or id."""
    from ..fleet.units import list_units

    with open_desk() as desk:
        moment = as_of or desk.now
        units = [
            unit
            for unit in list_units(desk.context, as_of=as_of)
            if unit.matches(text, state=state, model=model, duty=duty)
        ]
    if wants_json():
        print_json(
            {
                "schema": "troth/devices/1",
                "as_of": iso(moment),
                "devices": [documents.unit(unit) for unit in units],
            }
        )
        return OK
    print_table(
        ("DEVICE", "STATE", "FAILING", "SINCE", "MODEL", "CHIP", "PROOF", "LAST EVIDENCE"),
        (
            (
                unit.row.name,
                f"{STATE_GLYPH[unit.state]} {unit.state.value}",
                " ".join(unit.failing),
                ago(unit.failing_since, moment) if unit.failing_since else "",
                unit.model,
                unit.row.chip or "",
                unit.profile,
                # what came while this was read is no news of tomorrow
                ago(min(unit.last_evidence, moment), moment) if unit.last_evidence else "never",
            )
            for unit in units
        ),
    )
    return OK


@command.command()
@click.argument("ref", metavar="DEVICE")
@click.option(
    "--all", "everything", is_flag=True, help="all duties, not only those that fall short"
)
@as_of_option
@json_option
@db_option
def show(ref: str, everything: bool, as_of: int | None) -> int:
    """State, why, since when, owed by whom, and the proof of every duty."""
    from ..fleet.device import view_device

    with open_desk() as desk:
        view = view_device(desk.context, desk.catalogue, ref, now=desk.now, as_of=as_of)
    if wants_json():
        print_json(documents.device(view))
        return OK
    print(f"{plain(view.row.name)}  {STATE_GLYPH[view.state]} {view.state.value}")
    print(f"  {plain(view.sentence, 500)}")
    if view.row.lifecycle is not Lifecycle.ACTIVE:
        print(f"  {view.row.lifecycle.value}: not in service")
    if view.turning:
        print(f"  another key is wanted in place of {view.turning.hex()}")
    for account in view.accounts:
        print(f"  {account.party.value} owes {', '.join(account.duties)}")
        for because in account.because:
            print(f"    {plain(because)}")
    if view.if_sold:
        print(f"  own use: would fail {view.if_sold[0]} of {view.if_sold[1]} if sold")
    shown = view.proofs if everything else (*view.failing, *view.open, *view.waived)
    for proof in shown:
        said = proof.said
        print(f"\n{OUTCOME_GLYPH[said.outcome]} {said.outcome.value}  {proof.duty.id}")
        print(f"    {proof.duty.title}")
        print(f"    because  {plain(said.because, 500)}")
        laws = [f"{law.clause.regime} {law.clause.provision} ({law.words})" for law in proof.laws]
        binding = [text for law, text in zip(proof.laws, laws, strict=True) if law.binds]
        print(f"    clause   {'; '.join(binding) or 'troth-baseline alone'}")
        if said.owed_by:
            print(f"    owed by  {said.owed_by.value}: {plain(said.owed_because)}")
            print(f"    do       {plain(said.remedy, 400)}")
        print(f"    proof    {said.assurance.value}, since {iso(proof.since)}", end="")
        print(f", evidence {proof.evidence}" if proof.evidence else "")
    hidden = len(view.proofs) - len(shown)
    if hidden:
        print(f"\n{count(hidden, 'further duty', 'further duties')}: --all shows them")
    if view.late:
        print(f"\n{count(len(view.late), 'report')} came late: history, not what is now:")
        for each in view.late:
            print(f"    given after {iso(each.given)}, came {iso(each.received)}", end="")
            print(f"  evidence {each.id}: {each.state.value} then")
    _tell(view.missing)
    if view.rejections:
        print(f"\n{count(len(view.rejections), 'message')} of this key refused, none believed:")
        for refused in view.rejections:
            print(f"    {iso(refused.at)}  {refused.code}  {plain(refused.text)}")
    return OK


@command.command()
@click.argument("ref", metavar="DEVICE")
@click.option("--duty", help="only this duty")
@as_of_option
@json_option
@db_option
def history(ref: str, duty: str | None, as_of: int | None) -> int:
    """Every answer that changed, newest first: from when to when, by which evidence.

    Those of its releases, models and makers are told with its own, while it stood under them.
    """
    from ..fleet.courses import answers, states
    from ..fleet.device import find_device
    from ..fleet.gaps import missing

    with open_desk() as desk:
        row = find_device(desk.store, ref)
        intervals = answers(desk.store, row.id, duty=duty, as_of=as_of)
        at = desk.now if as_of is None else as_of
        came = desk.store.evidences(row.id, limit=500, late=True)
        late = [each for each in came if each.received <= at]
        held = states(desk.store, row.id, as_of=as_of)
        lacking = missing(desk.store, row.id, until=at)
        rules = desk.store.judged(as_of)
    if wants_json():
        print_json(
            {
                "schema": "troth/history/1",
                "device": row.id,
                "name": row.name,
                "states": [documents.state(each) for each in held],
                "judged": [documents.judged(each) for each in rules],
                "duties": [documents.interval(each) for each in intervals],
                "late": [documents.report(each) for each in late],
                "missing": documents.missing(lacking),
            }
        )
        return OK
    _print_states(held)
    print()
    _print_answers(intervals)
    _print_late(late)
    _tell(lacking)
    return OK


def _print_states(rows: Iterable[StateRow]) -> None:
    print_table(
        ("FROM", "TO", "STATE"),
        (
            (iso(s.since), iso(s.to) if s.to else "now", f"{STATE_GLYPH[s.state]} {s.state.value}")
            for s in rows
        ),
    )


def _print_answers(rows: Iterable[IntervalRow]) -> None:
    print_table(
        ("FROM", "TO", "OUTCOME", "DUTY", "OF", "EVIDENCE", "BECAUSE"),
        (
            (
                iso(each.since),
                iso(each.to) if each.to else "now",
                f"{OUTCOME_GLYPH[each.appraisal.outcome]} {each.appraisal.outcome.value}",
                each.appraisal.duty,
                each.subject_kind,
                each.evidence or "the clock",
                each.appraisal.because,
            )
            for each in rows
        ),
    )


def _print_late(rows: list[EvidenceRow]) -> None:
    """What came when newer reports had come already: history, and nothing more."""
    if not rows:
        return
    print()
    print_table(
        ("GIVEN AFTER", "CAME LATE", "STATE THEN", "EVIDENCE"),
        (
            (
                iso(each.given),
                iso(each.received),
                f"{STATE_GLYPH[each.state]} {each.state.value}",
                each.id,
            )
            for each in rows
        ),
    )


def _tell(lacking: Missing) -> None:
    """Reports that the board signed and nobody here has."""
    if lacking.reports or lacking.dropped:
        print(f"\n{lacking.sentence}")
    for gap in lacking.gaps[:_GAPS]:
        print(f"    {gap.words}, before {iso(gap.before)}")
    if len(lacking.gaps) > _GAPS:
        print(f"    and {count(len(lacking.gaps) - _GAPS, 'gap')} before that")
