"""troth check: each duty over the fleet, and what each regime can say of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.duties import Outcome
from ..core.verdict import State
from ..fleet.words import OUTCOME_GLYPH, ago, count, iso, plain
from ..trouble import Trouble
from . import documents
from .desk import as_of_option, check_regime, db_option, open_desk
from .output import NON_COMPLIANT, OK, UNKNOWN, json_option, print_json, wants_json
from .tables import print_table

if TYPE_CHECKING:
    from ..fleet.check import Check
    from ..fleet.unused import Unused
    from .desk import Desk

_HEAD = (
    *("DUTY", "SEVERITY", "MET", "FAIL", "NOT SHOWN", "N/A", "WAIVED", "STALE"),
    *("OWED BY", "FAILING"),
)
_EXITS = {State.NON_COMPLIANT: NON_COMPLIANT, State.UNKNOWN: UNKNOWN, State.COMPLIANT: OK}


@click.command()
@click.argument("only", metavar="[DEVICE|MODEL]", required=False, default="")
@click.option("--regime", help="one regime, e.g. uk-psti; a view such as etsi-303645-v313 too")
@click.option(
    "--fail-on",
    type=click.Choice(["any", "critical", "stale"]),
    default="any",
    show_default=True,
    help="what ends with 3: any failing duty, critical ones only, or silence as well",
)
@click.option(
    "--as-if-catalogue",
    "--with",
    "folder",
    type=click.Path(exists=True, file_okay=False),
    help="what this catalogue, or pack of duties, would change; nothing is written",
)
@click.option(
    "--unused", "idle", is_flag=True, help="also what no unit uses, and what applied to none"
)
@as_of_option
@json_option
@db_option
def command(
    only: str,
    regime: str | None,
    fail_on: str,
    folder: str | None,
    idle: bool,
    as_of: int | None,
) -> int:
    """Which duties are met, by whom, and who owes what is not.

    Ends with 0 when nothing that binds falls short, 3 when something does, 5 when nothing does but
    devices are silent or unknown.
    """
    from ..fleet.check import check, fails

    if folder is not None:
        return _what_if(folder, only, regime)
    with open_desk() as desk:
        check_regime(desk.catalogue, regime)
        result = check(
            desk.context, desk.catalogue, now=desk.now, as_of=as_of, regime=regime, only=only
        )
        left = _unused(desk, result) if idle else None
    if only and not result.units:
        raise Trouble(
            "device.unknown", f"no device or model {only[:60]!r}", fix="troth device list"
        )
    code = _EXITS[fails(result, fail_on)]
    if wants_json():
        said = documents.check(result, code)
        print_json(said | {"unused": asdict(left)} if left else said)
        return code
    _print_tallies(result)
    print()
    _print_rulings(result)
    _print_states(result)
    if left:
        _print_unused(left)
    return code


def _print_tallies(result: Check) -> None:
    """A line for each duty that binds some unit."""
    print_table(
        _HEAD,
        (
            (
                tally.duty.id,
                tally.duty.severity.value,
                tally.of(Outcome.MET),
                f"✘ {tally.of(Outcome.NOT_MET)}" if tally.failing else 0,
                tally.of(Outcome.NOT_SHOWN) + tally.of(Outcome.ERROR),
                tally.of(Outcome.NOT_APPLICABLE),
                f"◐ {n}" if (n := tally.of(Outcome.WAIVED)) else 0,
                tally.stale,
                " ".join(party.value for party in tally.owed),
                _whom(tally.failing, tally.since, result.as_of),
            )
            for tally in result.tallies
        ),
    )


def _print_rulings(result: Check) -> None:
    """What each regime can say, and below it its breaches."""
    for ruling in result.rulings:
        silent = f", {ruling.silent} silent or unknown" if ruling.silent else ""
        told = [f"{ruling.regime.id}: {ruling.words} ({count(ruling.units, 'unit')}{silent})"]
        told += [f"{count(len(ruling.unshown), 'duty')} not shown"] if ruling.unshown else []
        told += [f"{count(len(ruling.coming), 'duty')} upcoming"] if ruling.coming else []
        print(", ".join(told))
        for breach in ruling.breaches:
            units = plain(", ".join(breach.units), 120)
            print(f"  {breach.provision}  {breach.duty}  {breach.party.value}: {units}")


def _print_states(result: Check) -> None:
    states: Counter[State] = Counter()
    for each in result.cohorts:
        states[each.state] += each.size
    found = ", ".join(f"{states[state]} {state.value}" for state in State if states[state])
    print(f"{count(result.units, 'device')}: {found or 'none'}; as of {iso(result.as_of)}")


def _unused(desk: Desk, result: Check) -> Unused:
    from ..fleet.unused import unused

    return unused(desk.context, desk.catalogue, result.cohorts, now=desk.now)


def _print_unused(left: Unused) -> None:
    words = {
        "releases": "no unit runs",
        "statements": "no unit is of",
        "approvals": "no unit reports the approved settings",
        "waivers": "nothing rests by waiver",
        "duties": "applied to nobody:",
    }
    for name, text in words.items():
        for each in getattr(left, name):
            print(f"  unused: {text} {plain(each)}")


def _what_if(folder: str, only: str, regime: str | None) -> int:
    """What tomorrow's rules would flag."""
    from ..catalogue.loader import load
    from ..fleet.whatif import what_if

    with open_desk() as desk:
        place = Path(folder)
        packs = tuple(map(Path, desk.policy.packs))
        whole = (place / "claims.yaml").is_file()
        other = (load(place) if whole else load(packs=(*packs, place))).catalogue
        check_regime(other, regime)
        found = what_if(desk.context, desk.catalogue, other, now=desk.now, regime=regime, only=only)
    code = NON_COMPLIANT if any(each.would_fail for each in found) else OK
    if wants_json():
        print_json(documents.what_if(found, other.digest, code))
        return code
    print_table(
        ("DEVICE", "DUTY", "TODAY", "WOULD BE", "BINDS", "STATE", "BECAUSE"),
        (
            (
                each.device,
                each.duty.id,
                each.before.value if each.before else "no such duty",
                f"{OUTCOME_GLYPH[each.said.outcome]} {each.said.outcome.value}",
                "yes" if each.binds else "no",
                each.state.value,
                each.said.because,
            )
            for each in found
        ),
    )
    print(f"{count(len(found), 'answer')} would be another; nothing was changed")
    return code


def _whom(names: tuple[str, ...], since: int | None, now: int) -> str:
    if not names or since is None:
        return ""
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"{', '.join(names[:4])}{more}, since {ago(since, now)}"
