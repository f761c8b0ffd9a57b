"""Answers over time: an interval is opened, closed once when the answer changes, never rewritten.

An answer changes when its outcome, reason, assurance or party does. Its sentence alone opens a
new interval only when what the unit reports or what it is compared with changed too: a sentence
that counts seconds would else write one row per report.

What a unit is told like many others is kept as a sheet of answers that it holds for a while; only
answers that tell values of its own reports have rows of their own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.engine import Connection

from ..core.duties import Appraisal, Subject
from ..core.verdict import Verdict
from . import audit, kinds, schema, sheets, timeline
from .changes import Subjects
from .memory import HOLDING, STATE, VERDICT, Held, Key, Last, Memory, Open, OpenState

_verdicts, _states, _heads = schema.verdicts, schema.states, schema.heads
_holdings, _duty_sets = schema.holdings, schema.duty_sets

_CLOSE_VERDICT = (
    update(_verdicts).where(_verdicts.c.id == bindparam("ident")).values(to=bindparam("at"))
)
_CLOSE_STATE = update(_states).where(_states.c.id == bindparam("ident")).values(to=bindparam("at"))
_CLOSE_HOLDING = (
    update(_holdings).where(_holdings.c.id == bindparam("ident")).values(to=bindparam("at"))
)


class Turned(NamedTuple):
    moved: bool
    changed: tuple[str, ...]  # duties


@dataclass(slots=True)
class Changes:
    """What one transaction will write into the interval tables, gathered for a few statements."""

    memory: Memory
    next_verdict: int
    next_state: int
    next_holding: int
    closing: dict[int, int] = field(default_factory=dict)  # verdict id -> at
    closing_states: dict[int, int] = field(default_factory=dict)
    closing_holdings: dict[int, int] = field(default_factory=dict)
    opening: dict[int, dict[str, Any]] = field(default_factory=dict)
    opening_states: dict[int, dict[str, Any]] = field(default_factory=dict)
    duty_sets: dict[str, dict[str, Any]] = field(default_factory=dict)
    opening_holdings: dict[int, dict[str, Any]] = field(default_factory=dict)
    moved: set[str] = field(default_factory=set)  # units that hold or are something else now

    @classmethod
    def begin(cls, conn: Connection, memory: Memory) -> Changes:
        numbers = memory.begin(conn)
        return cls(memory, numbers[VERDICT], numbers[STATE], numbers[HOLDING])

    def add(
        self,
        conn: Connection,
        verdict: Verdict,
        subjects: Subjects,
        *,
        at: int,
        evidence: int | None,
        words: tuple[bytes, int],
        late: bool = False,
    ) -> tuple[str, ...]:
        """Weigh one verdict against what holds; returns the duties whose answer changed."""
        last = self.memory.last.get(verdict.device)
        if last is not None and last.is_said_again(verdict, subjects, words):
            return ()
        ids = _ids(verdict.device, subjects)
        changed = []
        moved: dict[str, Open] | None = None  # the unit's answers, once its sheet is another
        seen: dict[Subject, tuple[Key, dict[str, Open], bool]] = {}
        for said in verdict.appraisals:
            place = seen.get(said.subject)
            if place is None:
                place = self._place(conn, said.subject, ids, words)
                seen[said.subject] = place
            key, held, reworded = place
            if evidence is None and said.subject is Subject.UNIT:
                # the records are others: their words change with them, those of a report do not
                reworded = not late and not said.live
            now = held.get(said.duty)
            if now is not None and not _differs(now.said, said, reworded):
                continue
            if late and now is not None and at < now.since:
                continue  # what many units share was answered since
            changed.append(said.duty)
            if now is not None and now.id is not None:
                self._close(now.id, now.since, at)
            since = at if now is None else max(at, now.since)
            if said.subject is Subject.UNIT:
                moved = held
            if said.subject is Subject.UNIT and not said.live:
                held[said.duty] = Open(None, since, said)
            else:
                self._open(key, held, said, at=since, by=evidence)
        if moved is None and self._holding(conn, verdict.device) is None:
            moved = seen[Subject.UNIT][1] if Subject.UNIT in seen else None
        if moved is not None:
            self._hold(conn, verdict, moved, at, evidence)
        self._state(conn, verdict, ids, at, evidence)
        if late:
            self.memory.last.pop(verdict.device, None)
        else:
            self.memory.last[verdict.device] = Last(
                verdict.appraisals, verdict.duty_set, verdict.state, subjects, words
            )
        return tuple(changed)

    def write(self, conn: Connection) -> None:
        """Write it all: closings first, so that never two answers are open."""
        kinds.forget(conn, self.moved)
        if self.memory.numbers is not None:
            self.memory.numbers[VERDICT:] = (
                self.next_verdict,
                self.next_state,
                self.next_holding,
            )
        if self.closing:
            conn.execute(_CLOSE_VERDICT, [{"ident": i, "at": t} for i, t in self.closing.items()])
        if self.opening:
            conn.execute(insert(_verdicts), list(self.opening.values()))
        if self.closing_states:
            conn.execute(
                _CLOSE_STATE, [{"ident": i, "at": t} for i, t in self.closing_states.items()]
            )
        if self.duty_sets:
            conn.execute(insert(_duty_sets).prefix_with("OR IGNORE"), list(self.duty_sets.values()))
        if self.opening_states:
            conn.execute(insert(_states), list(self.opening_states.values()))
        if self.closing_holdings:
            conn.execute(
                _CLOSE_HOLDING, [{"ident": i, "at": t} for i, t in self.closing_holdings.items()]
            )
        if self.opening_holdings:
            conn.execute(insert(_holdings), list(self.opening_holdings.values()))

    def _place(
        self,
        conn: Connection,
        subject: Subject,
        ids: dict[str, str],
        words: tuple[bytes, int],
    ) -> tuple[Key, dict[str, Open], bool]:
        key = (subject.value, ids[subject.value])
        held = self.memory.answers.get(key)
        if held is None:
            held = self.memory.answers[key] = _load(conn, key)
        # what is judged once for many units changes its words with the references alone
        mine = words if subject is Subject.UNIT else (b"", words[1])
        before = self.memory.words.get(key)
        if before is None:  # a new process: what the references were is not known
            before = (_last_digest(conn, key[1]) if subject is Subject.UNIT else b"", words[1])
        self.memory.words[key] = mine
        return key, held, before != mine

    def _close(self, ident: int, since: int, at: int) -> None:
        # opened in this very transaction: its end is written with its beginning
        end = max(at, since)
        if ident in self.opening:
            self.opening[ident]["to"] = end
        else:
            self.closing[ident] = end

    def _holding(self, conn: Connection, device: str) -> Held | None:
        if device not in self.memory.holdings:
            self.memory.holdings[device] = _load_holding(conn, device)
        return self.memory.holdings[device]

    def _hold(
        self,
        conn: Connection,
        verdict: Verdict,
        held: dict[str, Open],
        at: int,
        evidence: int | None,
    ) -> None:
        """From now on the unit holds the sheet of these answers."""
        device = verdict.device
        now = self._holding(conn, device)
        since = at if now is None else max(at, now.since)
        told = []
        for said in verdict.appraisals:
            if said.subject is not Subject.UNIT:
                continue
            each = held[said.duty]
            if each.id is not None and not said.live:  # a row of before there were sheets
                self._close(each.id, each.since, since)
                each.id, each.said = None, replace(each.said, live=False)
            told.append(each.said)
        sheet = sheets.number(conn, self.memory.sheets, told)
        if now is not None and now.sheet == sheet:
            return
        if now is not None and now.id in self.opening_holdings:
            self.opening_holdings[now.id]["to"] = since
        elif now is not None:
            self.closing_holdings[now.id] = since
        self.moved.add(device)
        ident = self.next_holding
        self.next_holding += 1
        self.memory.holdings[device] = Held(ident, sheet, since)
        self.opening_holdings[ident] = {
            "id": ident,
            "device": device,
            "sheet": sheet,
            "evidence": evidence,
            "since": since,
            "to": None,
        }

    def _open(
        self, key: Key, held: dict[str, Open], said: Appraisal, *, at: int, by: int | None
    ) -> None:
        ident = self.next_verdict
        self.next_verdict += 1
        held[said.duty] = Open(ident, at, said)
        self.opening[ident] = {
            "id": ident,
            "subject_kind": key[0],
            "subject": key[1],
            "duty": said.duty,
            "outcome": said.outcome.value,
            "reason": said.reason.value if said.reason else None,
            "because": said.because,
            "assurance": said.assurance.value,
            "owed_by": said.owed_by.value if said.owed_by else None,
            "owed_because": said.owed_because,
            "remedy": said.remedy,
            "until": said.until,
            "evidence": by,
            "since": at,
            "to": None,
        }

    def _state(
        self,
        conn: Connection,
        verdict: Verdict,
        ids: dict[str, str],
        at: int,
        evidence: int | None,
    ) -> None:
        device = verdict.device
        if device not in self.memory.states:
            self.memory.states[device] = _load_state(conn, device)
        now = self.memory.states[device]
        said = _state_words(verdict, ids)
        if now is not None and now.said == said:
            return
        if now is not None:
            at = max(at, now.since)
            if now.id in self.opening_states:
                self.opening_states[now.id]["to"] = at
            else:
                self.closing_states[now.id] = at
        self.moved.add(device)
        ident = self.next_state
        self.next_state += 1
        self.memory.states[device] = OpenState(ident, at, said)
        chosen = verdict.duty_set
        self.duty_sets[chosen.digest] = {
            "digest": chosen.digest,
            "regimes": json.dumps(chosen.regimes),
            "mandatory": json.dumps(sorted(chosen.mandatory)),
        }
        names = ("state", "duty_set", "failing", "subjects")
        self.opening_states[ident] = {
            "id": ident,
            "device": device,
            **dict(zip(names, said, strict=True)),
            "evidence": evidence,
            "since": at,
            "to": None,
        }


def turn(
    conn: Connection,
    device: str,
    verdict: Verdict,
    subjects: Subjects,
    memory: Memory,
    *,
    at: int,
    references: int,
    noticed: int,
) -> Turned:
    """Write what no report changed; the head keeps the instant of the last report.

    It holds from `at`, and the audit chain says when it was `noticed`.
    """
    changes = Changes.begin(conn, memory)
    before = memory.words.get(("unit", device))
    words = (before[0] if before else _last_digest(conn, device), references)
    changed = changes.add(
        conn, verdict, subjects, at=at, evidence=None, words=words, late=at < noticed
    )
    changes.write(conn)
    conn.execute(update(_heads).where(_heads.c.device == device).values(until=verdict.until))
    moved = bool(changed or changes.opening_states)
    if moved:
        detail = f"{verdict.state.value} {' '.join(changed)}".strip()
        audit.append(conn, noticed, "clock", "verdict.turned", device, detail)
    return Turned(moved, changed)


def _last_digest(conn: Connection, device: str) -> bytes:
    """The set that the device reported last."""
    evidence = schema.evidence
    found: bytes | None = conn.execute(
        select(evidence.c.set_digest)
        .join(_heads, _heads.c.evidence == evidence.c.id)
        .where(_heads.c.device == device)
    ).scalar()
    return found or b""


def _differs(held: Appraisal, said: Appraisal, reworded: bool) -> bool:
    if held is said:
        return False
    return (
        held.outcome is not said.outcome
        or held.reason is not said.reason
        or held.owed_by is not said.owed_by
        or held.assurance is not said.assurance
        or (reworded and _words(held) != _words(said))
    )


def _words(said: Appraisal) -> tuple[str, str, str]:
    return said.because, said.owed_because, said.remedy


def _ids(device: str, subjects: Subjects) -> dict[str, str]:
    return {
        "unit": device,
        "release": subjects.release,
        "model": subjects.model,
        "maker": subjects.maker,
    }


def _state_words(verdict: Verdict, ids: dict[str, str]) -> tuple[str, str, str, str]:
    shared = {kind: ident for kind, ident in ids.items() if kind != "unit"}
    failing = [said.duty for said in verdict.failing]
    return (
        verdict.state.value,
        verdict.duty_set.digest,
        json.dumps(failing),
        json.dumps(shared),
    )


def _load(conn: Connection, key: Key) -> dict[str, Open]:
    rows = timeline.current(conn, key[0], key[1], None)
    return {row.appraisal.duty: Open(row.id, row.since, row.appraisal) for row in rows}


def _load_holding(conn: Connection, device: str) -> Held | None:
    row = conn.execute(
        select(_holdings.c.id, _holdings.c.sheet, _holdings.c.since).where(
            _holdings.c.device == device, _holdings.c.to.is_(None)
        )
    ).one_or_none()
    return None if row is None else Held(*row)


def _load_state(conn: Connection, device: str) -> OpenState | None:
    row = conn.execute(
        select(_states).where(_states.c.device == device, _states.c.to.is_(None))
    ).one_or_none()
    if row is None:
        return None
    said = (row.state, row.duty_set, row.failing, row.subjects)
    return OpenState(row.id, row.since, said)
