"""troth regime: the acts and standards, what the duties say of each, and the ways between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..fleet.words import count, day
from ..trouble import Trouble
from .output import OK, json_option, print_json, wants_json
from .tables import print_table

if TYPE_CHECKING:
    from ..catalogue.coverage import Coverage
    from ..catalogue.crosswalk import Demand, Step
    from ..catalogue.loader import Loaded
    from ..core.duties import Clause, Duty
    from ..core.verdict import Catalogue, Regime


@click.group()
@json_option
def command() -> None:
    """The regimes: list them, show what the duties answer of one, map one to another."""


@command.command("list")
@json_option
def list_regimes() -> int:
    """Every regime with what it binds, and how many of its provisions the duties answer."""
    loaded = _loaded()
    rows = [(regime, _coverage(loaded, regime)) for regime in loaded.catalogue.regimes]
    if wants_json():
        print_json(
            {
                "schema": "troth/regimes/1",
                "catalogue": loaded.catalogue.digest,
                "regimes": [_head(regime) | {"counts": _counts(found)} for regime, found in rows],
            }
        )
        return OK
    print_table(
        ("REGIME", "BINDS", "FROM", "DUTIES", "DECIDED", "SUPPORTED", "NONE", "TITLE"),
        (
            (
                regime.id,
                _binds(regime),
                day(regime.in_force) if regime.binding and regime.in_force else "",
                len({line.duty for line in regime.lines}),
                len(found.decided) if not regime.own_use else "",
                len(found.supported) if not regime.own_use else "",
                len(found.uncovered) if not regime.own_use else "",
                regime.title,
            )
            for regime, found in rows
        ),
    )
    print(f"\n{count(len(rows), 'regime')}, catalogue {loaded.catalogue.digest[:12]}")
    return OK


@command.command()
@click.argument("ident", metavar="REGIME")
@json_option
def show(ident: str) -> int:
    """Its provisions: which are decided, which only supported, which not answered and why."""
    loaded = _loaded()
    regime = _regime(loaded.catalogue, ident)
    found = _coverage(loaded, regime)
    listed = loaded.provisions.get(regime.id)
    if wants_json():
        print_json(
            {"schema": "troth/regime/1", "catalogue": loaded.catalogue.digest}
            | _head(regime)
            | {
                "counts": _counts(found),
                "complete": listed is not None and listed.complete is True,
                "scope": listed.scope if listed else "",
                "decided": list(found.decided),
                "supported": list(found.supported),
                "uncovered": [{"provision": each, "why": why} for each, why in found.uncovered],
                "lines": [{"duty": line.duty} | _clause(line.clause) for line in regime.lines],
            }
        )
        return OK
    print(f"{regime.id}  {regime.title}")
    print(f"  {regime.law}")
    print(f"  binds    {_binds(regime)}" + (f": {regime.condition}" if regime.condition else ""))
    if regime.own_use:
        print("  duties   " + " ".join(line.duty for line in regime.lines))
        return OK
    print(f"  {found.words}")
    if listed:
        print(f"  listed   {listed.scope}")
    print()
    print_table(("PROVISION", "STATUS", "DECIDED BY", "SUPPORTED BY"), _rows(regime, found))
    if found.uncovered:
        print()
        print_table(("PROVISION", "NO DUTY, BECAUSE"), found.uncovered)
    return OK


@command.command("map")
@click.argument("one", metavar="[A", required=False)
@click.argument("two", metavar="B]", required=False)
@click.option("--global-minimum", is_flag=True, help="the duties that are asked wherever you sell")
@click.option("--strictest", metavar="DUTY", help="who asks this duty, the most weight first")
@json_option
def map_regimes(
    one: str | None, two: str | None, global_minimum: bool, strictest: str | None
) -> int:
    """From the provisions of one regime to those of another, through the duties."""
    chosen = [bool(one and two), global_minimum, bool(strictest)]
    if sum(chosen) != 1 or bool(one) != bool(two):
        raise click.UsageError("want two regimes, or --global-minimum, or --strictest DUTY")
    catalogue = _loaded().catalogue
    if global_minimum:
        return _minimum(catalogue)
    if strictest:
        return _strictest(catalogue, strictest)
    return _map(_regime(catalogue, one or ""), _regime(catalogue, two or ""), catalogue.digest)


def _map(one: Regime, two: Regime, digest: str) -> int:
    from ..catalogue.crosswalk import crosswalk, provisions_of

    steps = crosswalk(one, two)
    if wants_json():
        print_json(
            {
                "schema": "troth/regime-map/1",
                "catalogue": digest,
                "from": one.id,
                "to": two.id,
                "steps": [_step(step) for step in steps],
            }
        )
        return OK
    print_table(
        (one.id.upper(), "DUTY", f"DECIDES IN {two.id.upper()}", "SUPPORTS"),
        (
            (
                step.provision + ("" if step.decides else " (supported)"),
                step.duty,
                provisions_of(each for each in step.others if each.decides),
                provisions_of(each for each in step.others if not each.decides),
            )
            for step in steps
        ),
    )
    strong = sum(step.strong for step in steps)
    print(f"\n{count(len(steps), 'step')}, {strong} of them decided at both ends")
    return OK


def _minimum(catalogue: Catalogue) -> int:
    from ..catalogue.crosswalk import global_minimum, provisions_of

    found = global_minimum(catalogue)
    if wants_json():
        print_json(
            {
                "schema": "troth/regime-map/1",
                "catalogue": catalogue.digest,
                "view": "global-minimum",
                "duties": [_demanded(duty, asked) for duty, asked in found],
            }
        )
        return OK
    regimes = sorted({each.regime.id for _, asked in found for each in asked})
    print_table(
        ("DUTY", *(each.upper() for each in regimes)),
        (
            (
                duty.id,
                *(
                    provisions_of(each.clause for each in asked if each.regime.id == regime)
                    for regime in regimes
                ),
            )
            for duty, asked in found
        ),
    )
    print(f"\n{count(len(found), 'duty')}, asked wherever a consumer product is sold")
    return OK


def _strictest(catalogue: Catalogue, ident: str) -> int:
    from ..catalogue.crosswalk import demands

    duty = next((each for each in catalogue.duties if each.id == ident), None)
    if duty is None:
        raise Trouble("duty.unknown", f"no duty {ident[:60]!r}", fix="troth duty list")
    found = demands(catalogue, duty)
    if wants_json():
        print_json(
            {
                "schema": "troth/regime-map/1",
                "catalogue": catalogue.digest,
                "view": "strictest",
                "duties": [_demanded(duty, found)],
            }
        )
        return OK
    print_table(
        ("REGIME", "BINDS", "PROVISION", "STATUS", "THIS DUTY", "CONDITION"),
        (
            (
                each.regime.id,
                _binds(each.regime),
                each.clause.provision + ("*" if each.clause.confidence == "low" else ""),
                each.clause.status.value,
                "decides" if each.clause.decides else "supports",
                each.clause.condition,
            )
            for each in found
        ),
    )
    print("\nThe first weighs most: law before view, mandatory before recommended.")
    return OK


def _loaded() -> Loaded:
    from ..catalogue import load

    return load()


def _regime(catalogue: Catalogue, ident: str) -> Regime:
    found = next((each for each in catalogue.regimes if each.id == ident), None)
    if found is None:
        raise Trouble("regime.unknown", f"no regime {ident[:40]!r}", fix="troth regime list")
    return found


def _coverage(loaded: Loaded, regime: Regime) -> Coverage:
    from ..catalogue.coverage import coverage

    return coverage(regime, loaded.provisions.get(regime.id))


def _binds(regime: Regime) -> str:
    if regime.own_use:
        return "all"
    return " ".join((*regime.markets, *regime.product_classes)) if regime.binding else "view"


def _rows(regime: Regime, found: Coverage) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for provision in (*found.decided, *found.supported):
        lines = [line for line in regime.lines if line.clause.provision == provision]
        star = "*" if any(line.clause.confidence == "low" for line in lines) else ""
        statuses = dict.fromkeys(line.clause.status.value for line in lines)
        rows.append(
            (
                provision + star,
                " ".join(statuses),
                " ".join(line.duty for line in lines if line.clause.decides),
                " ".join(line.duty for line in lines if not line.clause.decides),
            )
        )
    return rows


def _head(regime: Regime) -> dict[str, Any]:
    return {
        "id": regime.id,
        "title": regime.title,
        "version": regime.version,
        "law": regime.law,
        "binding": regime.binding,
        "markets": list(regime.markets),
        "product_classes": list(regime.product_classes),
        "in_force": day(regime.in_force) if regime.in_force else None,
        "condition": regime.condition,
    }


def _counts(found: Coverage) -> dict[str, int]:
    return {
        "provisions": found.total,
        "decided": len(found.decided),
        "supported": len(found.supported),
        "uncovered": len(found.uncovered),
    }


def _clause(clause: Clause) -> dict[str, Any]:
    return {
        "provision": clause.provision,
        "status": clause.status.value,
        "decides": clause.decides,
        "condition": clause.condition,
        "traits": sorted(clause.traits),
        "confidence": clause.confidence,
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "provision": step.provision,
        "decides": step.decides,
        "duty": step.duty,
        "to": [_clause(clause) for clause in step.others],
    }


def _demanded(duty: Duty, asked: tuple[Demand, ...]) -> dict[str, Any]:
    return {
        "duty": duty.id,
        "asked": [
            {"regime": each.regime.id, "binding": each.regime.binding} | _clause(each.clause)
            for each in asked
        ],
    }
