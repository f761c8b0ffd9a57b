"""The judge with a memory says what `judge` says, whatever changes between two reports."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import pytest

from honest import DAY, NOW, STATEMENT, own_use, release, sold
from troth.catalogue import bundled
from troth.core.duties import Facts
from troth.core.judging import Judge
from troth.core.verdict import Verdict, judge

CATALOGUE = bundled()


def gist(verdict: Verdict) -> Any:
    """All of a verdict but its sentences and the ends that move with every report."""
    answers = [
        (e.duty, e.outcome, e.reason, e.assurance, e.owed_by, e.remedy) for e in verdict.appraisals
    ]
    return verdict.device, verdict.state, verdict.duty_set, verdict.until, answers


def test_an_unchanged_board_keeps_its_very_answers() -> None:
    judges = Judge(CATALOGUE)
    facts = sold()
    first = judges.judge(facts)
    assert judges.judge(facts) is first
    later = facts._replace(now=NOW + 60, v=facts.v._replace(last_evidence=NOW + 60))
    again = judges.judge(later)
    assert again.appraisals is first.appraisals
    assert gist(again) == gist(judge(later, CATALOGUE))


def test_a_changed_answer_gets_a_new_sentence() -> None:
    judges = Judge(CATALOGUE)
    facts = sold()
    judges.judge(facts)
    worse = facts._replace(v=facts.v._replace(reconnects_per_h=1000))
    assert judges.judge(worse) == judge(worse, CATALOGUE)


_CHANGES: dict[str, list[Any]] = {
    "last_evidence": [None, NOW - 60, NOW - 2 * DAY],
    "boot_forks": [None, 0, 1],
    "fuse_regressions": [None, 0, 2],
    "skew_s": [None, 0, 900],
    "reconnects_per_h": [1, 2, 100],
    "newer_release_since": [None, NOW - DAY, NOW - 40 * DAY],
    "support_end_max_seen": [None, 0, 1 << 40],
    "shown_before": [frozenset(), frozenset({"d.wifi_auth"})],
}


def _walk(start: Facts, seed: int) -> Iterator[Facts]:
    """One board's life: time goes on and something changes now and then."""
    rng = random.Random(seed)
    facts = start
    for _ in range(100):
        facts = facts._replace(now=facts.now + rng.choice([0, 1, 3600, 5 * DAY, -7]))
        match rng.randrange(8):
            case 0:
                name = rng.choice(list(_CHANGES))
                facts = facts._replace(v=facts.v._replace(**{name: rng.choice(_CHANGES[name])}))
            case 1:
                name = rng.choice([f.name for f in fields(facts.d)])
                facts = facts._replace(d=replace(facts.d, **{name: None}))
            case 2:
                facts = facts._replace(d=start.d, v=start.v)
            case 3:
                optout = rng.random() < 0.5
                market = rng.choice(["eu", "uk", None])
                unit = replace(facts.u, monitoring_optout=optout, market=market)
                facts = facts._replace(u=unit)
            case 4:
                facts = facts._replace(m=rng.choice([start.m, STATEMENT, replace(start.m)]))
            case 5:
                withheld = rng.choice([frozenset(), frozenset({"d.jtag", "d.wifi_auth"})])
                facts = facts._replace(must_show=withheld)
        yield facts


OLD = release("0.9.0", app_digest="01" * 32, released=NOW - 90 * DAY, withdrawn=NOW - DAY)
LIVES = {
    "sold in the eu": sold(),
    "sold in the uk": sold("uk"),
    "own use": own_use(),
    "withdrawn, with a fix in its grace": sold(
        releases=(OLD, release(released=NOW - 10 * DAY)), app_digest=OLD.app_digest
    ),
}


@pytest.mark.parametrize("life", LIVES)
@pytest.mark.parametrize("seed", range(3))
def test_the_memory_never_changes_a_verdict(life: str, seed: int) -> None:
    judges = Judge(CATALOGUE)
    for facts in _walk(LIVES[life], seed):
        assert gist(judges.judge(facts)) == gist(judge(facts, CATALOGUE))


def test_a_small_memory_forgets_and_stays_right() -> None:
    judges = Judge(CATALOGUE, keep=2)
    units = [
        sold(market)._replace(u=replace(sold(market).u, device=f"{market}-{n}"))
        for market in ("eu", "uk")
        for n in range(3)
    ]
    for facts in units * 3:
        assert judges.judge(facts) == judge(facts, CATALOGUE)


def test_a_rule_at_fault_is_an_error_with_a_memory_too() -> None:
    def broken(_: Facts) -> Any:
        raise ZeroDivisionError

    moving = next(n for n, duty in enumerate(CATALOGUE.duties) if duty.scope == "device")
    duties = list(CATALOGUE.duties)
    duties[moving] = replace(duties[moving], rule=broken)
    catalogue = replace(CATALOGUE, duties=tuple(duties))
    judges = Judge(catalogue)
    for _ in range(2):
        assert gist(judges.judge(sold())) == gist(judge(sold(), catalogue))
