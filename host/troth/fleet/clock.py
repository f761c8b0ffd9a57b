"""What the clock alone changes: silence makes stale, a date makes a duty (THREATS R4, 127).

A written answer holds until its `until`. From then on readers must not show it as if it still
did: `standing` judges the last report again, and `advance` writes what has turned.
"""

from __future__ import annotations

from ..core.verdict import Verdict
from .context import Context
from .judging import Judge


def standing(context: Context, judge: Judge, device: str, *, now: int) -> Verdict | None:
    """The verdict on a device's last report as it stands now; None when it never reported."""
    context.refresh()
    facts = context.standing_facts(device, now=now)
    return None if facts is None else judge.judge(facts)


def advance(context: Context, judge: Judge, *, now: int, everyone: bool = False) -> int:
    """Write the transitions that are due; `everyone` after the references changed."""
    generation = context.refresh()
    store = context.store
    due = tuple(store.states()) if everyone else store.due(now)
    turned = 0
    for device in due:
        facts = context.standing_facts(device, now=now)
        if facts is None:
            continue
        verdict = judge.judge(facts)
        subjects = context.subjects(facts)
        turned += store.turn(device, verdict, subjects, at=now, references=generation)
    return turned
