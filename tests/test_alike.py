"""Judging one of each kind for all of its kind: everybody is told what it would be told alone."""

from __future__ import annotations

import os
import random
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import troth.fleet.alike
from forge import digest_of
from house import new_store
from standing import DAY, NOW, POLICY, Standing, release
from test_waiver import by, wish
from troth.core.duties import Answer, Facts, Outcome
from troth.core.verdict import Catalogue
from troth.core.waiver import Scope
from troth.factory import waiver
from troth.fleet.alike import Round
from troth.fleet.clock import rejudge
from troth.fleet.context import Context
from troth.fleet.judging import Judge
from troth.store import Store, StoreUnavailable

SEEDS = range(int(os.environ.get("TROTH_FLEETS", "2")))
MODELS = (("therm-v2", "esp32s3"), ("cam-s3", "esp32s3"))
UNITS = 12
FAULTS: tuple[dict[str, Any], ...] = (
    {},
    {"webrepl_on": True},
    {"code_digest": digest_of("one changed file")},
    {"jtag": "enabled", "dbgstat": 0},
    {"fuses": bytes(20)},
)
TOKENS: tuple[dict[str, Any], ...] = (
    {"bootseed": digest_of("another board")[:8]},
    {"bootcount": 8, "bootseed": digest_of("the next boot")[:8]},
    {"bootcount": 3},
    {"bootcount": 90, "bootseed": digest_of("many boots later")[:8]},
    {"iat": NOW - 600},
    {"iat": NOW - 99_999},
)
# everything that is remembered of answers, without the numbers of rows
WRITTEN = {
    "states": 'SELECT device, state, duty_set, failing, subjects, since, "to" FROM states',
    "sheets": 'SELECT device, answers, failing, since, "to" FROM holdings '
    "JOIN sheets ON sheets.id = sheet",
    "answers": "SELECT subject_kind, subject, duty, outcome, reason, because, assurance, owed_by, "
    'owed_because, remedy, until, since, "to" FROM verdicts',
    "ends": "SELECT device, evidence, seen, until FROM heads",
    "events": "SELECT at, actor, action, subject, detail FROM audit",
}


class Fleet(Standing):
    """A few sorts of units, and now and then one that is odd."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        super().__init__(folder)
        self.chance = chance
        for model, chip in MODELS:
            self.add_release(release(model, chip, "1.3.9", days_ago=210))
            self.add_release(release(model, chip, "1.4.0", days_ago=45))
        sorts = [self._sort() for _ in range(2)]
        for number in range(UNITS):
            made, registered, fault = chance.choice(sorts)
            row = self.enrol(
                f"unit-{number:02}", *made, market=chance.choice(("eu", "eu", "eu", "uk"))
            ).row
            self.units[row.name].device.said |= fault
            if number == 0 or self.odd:
                registered = {**registered, "site": "hall", "tags": ("pilot",)}
            self.store.change_device(row.id, at=NOW - 30 * DAY, **registered)
        for at in (NOW - 2 * DAY, NOW - 1200, NOW - 900):
            for name in self.units:
                if not self.odd:
                    self.report(name, at=at)

    def _sort(self) -> tuple[tuple[str, str, str], dict[str, Any], dict[str, Any]]:
        chance = self.chance
        made = (*chance.choice(MODELS), chance.choice(("1.3.9", "1.4.0", "1.4.0")))
        registered = {
            "monitoring_optout": self.odd,
            "placed_on_market": NOW - chance.choice((90, 500)) * DAY,
        }
        return made, registered, chance.choice(FAULTS[:3])

    @property
    def odd(self) -> bool:
        return self.chance.random() < 0.1

    def report(self, name: str, **told: Any) -> int:
        if self.odd:
            self.units[name].device.said |= self.chance.choice(FAULTS)
        if self.odd:  # said before and not again
            self.units[name].device.said.pop("wifi_auth", None)
        token = self.chance.choice(TOKENS) if self.odd else {}
        return super().report(name, token=token, **told)

    def reopen(self) -> None:
        """As another process would find it: nothing is remembered."""
        self.store.close()
        self.store = new_store(Path(self.url.removeprefix("sqlite:///")).parent)
        self.context = Context(self.store, self.policy)


def with_rule(
    catalogue: Catalogue, duty: str, met: Callable[[Facts], bool], **changes: Any
) -> Catalogue:
    def rule(facts: Facts) -> Answer:
        return Answer(Outcome.MET if met(facts) else Outcome.NOT_MET)

    duties = tuple(
        replace(each, rule=rule, ok_text="its own", **changes) if each.id == duty else each
        for each in catalogue.duties
    )
    return replace(catalogue, duties=duties, digest=digest_of(f"{catalogue.digest} {duty}").hex())


Step = Callable[[Fleet], None]


def newer(fleet: Fleet) -> None:
    model, chip = fleet.chance.choice(MODELS)
    fleet.add_release(release(model, chip, f"1.{fleet.chance.randint(5, 99)}.0", days_ago=40))


def waived(fleet: Fleet) -> None:
    scope, subject = fleet.chance.choice(
        (
            (Scope.DEVICE, "unit-03"),
            (Scope.SITE, "hall"),
            (Scope.TAG, "pilot"),
            (Scope.MODEL, fleet.units["unit-03"].row.model),
        )
    )
    asked = wish(scope=scope, subject=subject, expires=NOW + fleet.chance.choice((50, DAY)))
    waiver.approve(fleet.store, fleet.catalogue, fleet.policy, asked, by())


def approved(fleet: Fleet) -> None:
    scope, subject = fleet.chance.choice((("device", "d05"), ("model", "therm-v2")))
    fleet.store.add_baseline(scope, subject, digest_of("settings").hex(), b"{}", at=NOW)


def registered(fleet: Fleet) -> None:
    device = f"d{fleet.chance.randint(1, UNITS):02}"
    fleet.store.change_device(device, at=NOW, market=fleet.chance.choice(("eu", "uk", "us")))


def heard(fleet: Fleet) -> None:
    for name in fleet.chance.sample(sorted(fleet.units), 8):
        fleet.report(name, at=NOW - fleet.chance.randint(0, 300))


def graced(fleet: Fleet) -> None:
    fleet.policy = replace(POLICY, grace_after_enrolment=31 * DAY, max_reconnects=2)


def ruled(fleet: Fleet) -> None:
    """What is asked of a set is something else."""
    fleet.catalogue = with_rule(
        fleet.catalogue, "boot.files-known", lambda facts: facts.d.swversion != "1.4.0"
    )


def counted(fleet: Fleet) -> None:
    """What is asked of every report is something else."""
    fleet.catalogue = with_rule(
        fleet.catalogue, "resil.orderly", lambda facts: facts.v.reconnects_per_h == 1
    )


def aged(fleet: Fleet) -> None:
    """A user's own rule asks of the last report something else than whether it is too old."""
    fleet.catalogue = with_rule(
        fleet.catalogue,
        "upd.current",
        lambda facts: not NOW - 950 <= (facts.v.last_evidence or 0) < NOW - 100,
        names=("v.last_evidence",),
    )


STEPS: tuple[Step, ...] = (newer, waived, approved, registered, heard, graced, counted, aged)


@pytest.mark.parametrize("seed", SEEDS)
def test_everybody_is_told_what_it_would_be_told_alone(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    (tmp_path / "alone").mkdir()
    fleet = Fleet(tmp_path, chance)
    now = NOW
    for step in (heard, *chance.sample(STEPS, 2), ruled):
        step(fleet)
        now += chance.choice((10, 3000, 4 * 3600, 2 * DAY))
        fleet.reopen()
        assert alike(fleet, now) == alone(fleet, tmp_path / "alone", now)
    fleet.store.close()


def test_a_rule_that_asks_more_of_reports_is_asked_for_each_of_them(tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    fleet = Fleet(tmp_path, random.Random(1))
    for number, name in enumerate(sorted(fleet.units)):
        fleet.report(name, at=NOW - 50 * number)  # the first is told what none of the last is
    for step in (aged, counted):
        step(fleet)
        fleet.reopen()
        assert alike(fleet, NOW + 10) == alone(fleet, tmp_path / "alone", NOW + 10)
    fleet.store.close()


def meanwhile(fleet: Fleet) -> None:
    """Who leads, who follows and who is judged already report again, by the new rules."""
    fleet.judge = Judge(fleet.catalogue)
    for name in sorted(fleet.units)[::2]:
        fleet.report(name, at=NOW)


def spoiled(fleet: Fleet) -> None:
    """A hand on the database, or an older Troth: the kinds say nothing."""
    with sqlite3.connect(fleet.url.removeprefix("sqlite:///")) as db:
        db.execute("UPDATE heads SET kind = x'00' WHERE kind IS NOT NULL")


def killed(_: Fleet) -> None:
    raise StoreUnavailable("killed")


def test_a_round_that_is_disturbed_ends_as_one_that_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "alone").mkdir()
    fleet = Fleet(tmp_path, random.Random(7))
    monkeypatch.setattr(troth.fleet.alike, "_ROWS", 4)  # a few windows
    for number, disturb in enumerate((registered, spoiled, killed, meanwhile)):
        fleet.catalogue = with_rule(
            fleet.catalogue, "boot.files-known", lambda facts, odd=number % 2: not odd
        )
        with monkeypatch.context() as patch, suppress(StoreUnavailable):
            patch.setattr(Store, "follow", disturbed(fleet, disturb))
            rejudge(fleet.context, Judge(fleet.catalogue), now=NOW)
        if disturb is killed:
            fleet.reopen()
            assert rejudge(fleet.context, Judge(fleet.catalogue), now=NOW) > 0
        copy(fleet)
        _, again = alone(fleet, tmp_path / "alone", NOW)
        stands = written(fleet.store)
        if disturb is meanwhile:  # a report keeps the words with which an answer began
            del again["sheets"], again["events"], stands["sheets"], stands["events"]
        assert again == stands, disturb.__name__
    fleet.store.close()


def disturbed(fleet: Fleet, disturb: Step) -> Callable[..., Any]:
    """What the store does, but that this comes in between after the first window."""
    follow, steps = Store.follow, iter((None, disturb))

    def meanwhile_disturbed(*told: Any, **more: Any) -> Any:
        if step := next(steps, None):
            step(fleet)
        return follow(*told, **more)

    return meanwhile_disturbed


def test_those_that_are_named_are_judged_and_nobody_else(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, random.Random(3))
    ruled(fleet)
    named = [unit.row.id for unit in fleet.units.values()][:5]
    before = {device: fleet.store.state_history(device) for device in fleet.store.states()}
    assert rejudge(fleet.context, Judge(fleet.catalogue), [*named, "nobody"], now=NOW) > 0
    after = {device: fleet.store.state_history(device) for device in before}
    assert {device for device in before if after[device] != before[device]} <= set(named)
    fleet.store.close()


def alike(fleet: Fleet, now: int) -> tuple[int, dict[str, Counter[Any]]]:
    copy(fleet)
    turned = rejudge(fleet.context, Judge(fleet.catalogue), now=now)
    return turned, written(fleet.store)


def alone(fleet: Fleet, folder: Path, now: int) -> tuple[int, dict[str, Counter[Any]]]:
    """The same re-appraisal of a copy that was made before it, unit by unit."""
    with new_store(folder) as store:
        context = Context(store, fleet.policy)
        each = Round(context, Judge(fleet.catalogue), now)
        each.generation = context.refresh()
        each._alone([device for _, device in store.head_rows([row.id for row in store.devices()])])
        return each.turned, written(store)


def copy(fleet: Fleet) -> None:
    file = Path(fleet.url.removeprefix("sqlite:///"))
    target = file.parent / "alone" / "troth.db"
    for old in target.parent.iterdir():
        old.unlink()
    with closing(sqlite3.connect(file)) as db, closing(sqlite3.connect(target)) as other:
        db.backup(other)


def written(store: Store) -> dict[str, Counter[Any]]:
    with closing(sqlite3.connect(store.url.removeprefix("sqlite:///"))) as db:
        return {name: Counter(db.execute(asked)) for name, asked in WRITTEN.items()}
