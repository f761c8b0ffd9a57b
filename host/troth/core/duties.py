"""Duties of care as values, and their answers: every duty is answered, every time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from .claims import DeviceClaims
from .device import Observed, Profile, Registration
from .reference import Reference, Statement


class Outcome(StrEnum):
    MET = "met"
    NOT_MET = "not-met"
    NOT_SHOWN = "not-shown"
    NOT_APPLICABLE = "not-applicable"
    WAIVED = "waived"
    DECLARED = "declared"
    ERROR = "error"


class Reason(StrEnum):
    """Why a duty is not shown; `withheld` is the one that counts as not-met."""

    PROFILE_CANNOT = "profile-cannot"
    UNDECLARED = "undeclared"
    NO_FEED = "no-feed"
    WITHHELD = "withheld"


class Severity(StrEnum):
    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Party(StrEnum):
    MAKER = "maker"
    IMPORTER = "importer"
    DISTRIBUTOR = "distributor"
    OPERATOR = "operator"
    SUPPLIER = "supplier"
    USER = "user"


class Subject(StrEnum):
    UNIT = "unit"
    RELEASE = "release"
    MODEL = "model"
    MAKER = "maker"


class Assurance(StrEnum):
    HARDWARE = "hardware"
    SOFTWARE = "software"
    OBSERVED = "observed"
    DECLARED = "declared"


class Status(StrEnum):
    """Of a line of a regime."""

    MANDATORY = "mandatory"
    CONDITIONAL = "conditional"
    RECOMMENDED = "recommended"
    INFORMATIVE = "informative"


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a rule may ask, by prefix: d. r. m. v. and now."""

    d: DeviceClaims
    r: Reference
    u: Registration  # the device-scoped `r.` names
    m: Statement
    v: Observed
    now: int
    profile: Profile = Profile.P0
    must_show: frozenset[str] = frozenset()  # d. names this profile must show (board.toml)


@dataclass(frozen=True, slots=True)
class Clause:
    """One provision of one regime, and whether the duty decides it or only supports it."""

    regime: str
    provision: str  # "5.6-4A"
    decides: bool
    status: Status
    version: str = ""
    condition: str = ""
    confidence: str = "high"  # high low


@dataclass(frozen=True, slots=True)
class Owed:
    """One case of a duty's party rule: `when` names a closed word of the party rule."""

    party: Party
    when: str
    because: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a compiled rule returns, before anybody is told: outcome and what was missing."""

    outcome: Outcome
    missing: tuple[str, ...] = ()
    turns: int | None = None  # unix s at which the clock alone flips it


Rule = Callable[[Facts], Answer]


@dataclass(frozen=True, slots=True)
class Duty:
    id: str
    title: str
    title_nl: str
    rationale: str
    severity: Severity
    party: Party
    subject: Subject
    needs: Profile
    baseline: bool
    names: tuple[str, ...]  # every d./r./m./v. name of the rule, and now
    scope: str  # set fleet device clock: the widest of its names
    when_text: str
    ok_text: str
    rule: Rule
    remedies: tuple[tuple[Party, str], ...]
    owed: tuple[Owed, ...]
    clauses: tuple[Clause, ...]


@dataclass(frozen=True, slots=True)
class Appraisal:
    """One duty's answer for one subject; the same words in CLI, API, pages and store."""

    duty: str
    subject: Subject
    outcome: Outcome
    reason: Reason | None
    because: str  # a sentence with the claim and what it was compared with
    assurance: Assurance
    owed_by: Party | None  # only for what falls short
    owed_because: str
    remedy: str
    until: int | None  # unix s; before it the clock alone cannot change the answer


def appraise(facts: Facts, duties: tuple[Duty, ...]) -> tuple[Appraisal, ...]:
    """Answer every duty. Never raises: our own fault is Outcome.ERROR."""
    raise NotImplementedError
