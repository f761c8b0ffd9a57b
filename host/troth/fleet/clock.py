"""What the clock alone changes: silence makes stale, a date makes a duty (THREATS R4, 127).

A written answer holds until its `until`. From then on readers must not show it as if it still
did: `standing` judges the last report again, and `advance` writes what has turned, from the very
instant at which it turned, however late that is noticed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict

from ..core.reference import Policy
from ..core.verdict import Verdict
from ..store import Rules
from .alike import Round
from .context import Context
from .judging import Judge

_MOST_STEPS = 200  # a rule whose instants never end must not hold the clock up


def standing(context: Context, judge: Judge, device: str, *, now: int) -> Verdict | None:
    """The verdict on a device's last report as it stands now; None when it never reported."""
    context.refresh()
    facts = context.standing_facts(device, now=now)
    return None if facts is None else judge.judge(facts)


def advance(context: Context, judge: Judge, *, now: int, everyone: bool = False) -> int:
    """Write the transitions that are due; `everyone` after the references changed."""
    generation = context.refresh()
    store = context.store
    if store.has_expired_waiver(now):
        store.end_expired_waivers(now)
    due = store.due(now)
    turned = sum(_catch_up(context, judge, device, generation, now) for device in due)
    if everyone:
        turned += rejudge(context, judge, now=now)
    return turned


def rejudge(
    context: Context, judge: Judge, devices: Iterable[str] | None = None, *, now: int
) -> int:
    """Judge these, or everybody, by what the records say now; returns how many turned."""
    return Round(context, judge, now).run(devices)


def rules_of(catalogue: str, policy: Policy) -> Rules:
    """All that judges: the catalogue, by its digest, and the operator's numbers."""
    return Rules(catalogue, json.dumps(asdict(policy), sort_keys=True))


def judge_everyone(context: Context, judge: Judge, rules: Rules, *, now: int) -> int:
    """Under these rules, and remember that it was done."""
    generation = context.refresh()
    turned = advance(context, judge, now=now, everyone=True)
    context.store.remember_judged(rules, generation, at=now)
    return turned


def is_due(context: Context, now: int) -> bool:
    return bool(context.store.due(now)) or context.store.has_expired_waiver(now)


def _catch_up(context: Context, judge: Judge, device: str, generation: int, now: int) -> bool:
    """Each turn at its own instant, by today's records, then as it stands now."""
    written = context.store.state(device)
    at = written.until if written else None
    moved = False
    for _ in range(_MOST_STEPS):
        if at is None or at >= now:
            break
        turned, at = _turn(context, judge, device, generation, at=at, now=now)
        moved = moved or turned
    turned, _ = _turn(context, judge, device, generation, at=now, now=now)
    return moved or turned


def _turn(
    context: Context, judge: Judge, device: str, generation: int, *, at: int, now: int
) -> tuple[bool, int | None]:
    facts = context.standing_facts(device, now=at)
    if facts is None:
        return False, None
    verdict = judge.judge(facts)
    subjects = context.subjects(facts)
    turned = context.store.turn(
        device, verdict, subjects, at=at, references=generation, noticed=now
    )
    return turned.moved, verdict.until
