"""What the writer remembers of the intervals that are open: a copy, forgotten on any doubt."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic

from sqlalchemy.engine import Connection

from ..core.duties import Appraisal
from ..core.verdict import DutySet, State, Verdict
from . import audit
from .changes import Subjects

Key = tuple[str, str]  # subject kind, subject
VERDICT, STATE, HOLDING = 2, 3, 4  # places in the numbers
_LAST_NUMBERS = (
    "SELECT (SELECT max(id) FROM evidence), (SELECT max(id) FROM rejections), "
    "(SELECT max(id) FROM verdicts), (SELECT max(id) FROM states), "
    "(SELECT max(id) FROM holdings)"
)


@dataclass(slots=True)
class Open:
    """The open answer of one duty."""

    id: int | None  # None: it stands on a sheet
    since: int
    said: Appraisal


@dataclass(slots=True)
class Held:
    """The open holding of one unit."""

    id: int
    sheet: int
    since: int


@dataclass(slots=True)
class OpenState:
    id: int
    since: int
    said: tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Last:
    """What a device's last verdict said; the very same again needs no second look."""

    appraisals: tuple[Appraisal, ...]
    duty_set: DutySet
    state: State
    subjects: Subjects
    words: tuple[bytes, int]

    def is_said_again(self, verdict: Verdict, subjects: Subjects, words: tuple[bytes, int]) -> bool:
        return (
            self.appraisals is verdict.appraisals
            and self.duty_set is verdict.duty_set
            and self.state is verdict.state
            and self.words == words
            and self.subjects == subjects
        )


@dataclass(slots=True)
class Memory:
    """The open intervals as the writer last saw them: only a copy, forgotten on any doubt."""

    answers: dict[Key, dict[str, Open]] = field(default_factory=dict)
    states: dict[str, OpenState | None] = field(default_factory=dict)
    holdings: dict[str, Held | None] = field(default_factory=dict)
    sheets: dict[bytes, int] = field(default_factory=dict)
    words: dict[Key, tuple[bytes, int]] = field(default_factory=dict)
    last: dict[str, Last] = field(default_factory=dict)
    # reports under a key when the last of them was judged; no doubt about the rest touches it
    counted: dict[bytes, int] = field(default_factory=dict)
    numbers: list[int] | None = None  # next evidence, rejection, verdict, state and holding
    leaf: audit.Head | None = None  # the end of the audit chain
    version: int = -1
    foreign: int = 0  # how often another connection may have written
    looked: float = 0.0  # when that was last looked for, by the monotonic clock

    def forget(self) -> None:
        self.answers.clear()
        self.states.clear()
        self.holdings.clear()
        self.sheets.clear()
        self.words.clear()
        self.last.clear()
        self.numbers = None
        self.leaf = None
        self.version = -1

    def drop(self, device: str) -> None:
        """Another hand wrote what is open of this unit."""
        self.answers.pop(("unit", device), None)
        for kept in (self.states, self.holdings, self.last):
            kept.pop(device, None)

    def begin(self, conn: Connection) -> list[int]:
        """What is remembered still holds, or is asked anew: the next numbers of the tables."""
        self.check(conn)
        if self.numbers is None:
            found = conn.exec_driver_sql(_LAST_NUMBERS).one()
            self.numbers = [(last or 0) + 1 for last in found]
        return self.numbers

    def check(self, conn: Connection) -> None:
        """Forget all if another connection wrote since (this one's own writes do not count)."""
        self.looked = monotonic()
        version = conn.exec_driver_sql("PRAGMA data_version").scalar_one()
        if version != self.version:
            self.foreign += 1
            self.forget()
            self.version = version
