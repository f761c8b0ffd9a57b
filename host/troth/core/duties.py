"""Duties of care as values, and their answers: every duty is answered, every time.

The outcomes are a closed set (HOUSE words): what cannot be decided is `not-shown` with a reason,
never rounded up or down; a claim that this board must show, or showed before, and now keeps back
is `withheld`, and that is `not-met`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from . import party
from .claims import DeviceClaims
from .device import Observed, Profile, Registration
from .feeds import NO_FEEDS, Feeds
from .labels import DECLARED_ONLY
from .reference import Reference, Statement

if TYPE_CHECKING:
    from .waiver import Waiver


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


class Facts(NamedTuple):
    """All that a rule may ask, by prefix: d. r. m. v. and now; first what every report moves."""

    v: Observed
    now: int
    d: DeviceClaims
    r: Reference
    u: Registration  # the device-scoped `r.` names
    m: Statement
    profile: Profile = Profile.P0
    must_show: frozenset[str] = frozenset()  # d. names this profile must show (board.toml)
    waivers: tuple[Waiver, ...] = ()  # those for this unit, over or not
    f: Feeds = NO_FEEDS  # the `v.` names that feeds bring
    until: int | None = None  # when the clock alone brings other facts: a declaration ends


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
    traits: frozenset[str] = frozenset()  # a conditional line counts for products with one of these
    severity: Severity | None = None  # under this line; None: the duty's own
    since: int | None = None  # unix s; None: as its regime says
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Owed:
    """One case of a duty's party rule: `when` names a closed word of the party rule."""

    party: Party
    when: str
    because: str


class Answer(NamedTuple):
    """What a compiled rule returns, before anybody is told: outcome and what was missing.

    A tuple, for one is made per rule and report: a third of the price of a data class.
    """

    outcome: Outcome
    missing: tuple[str, ...] = ()
    turns: int | None = None  # unix s at which the clock alone flips it


Rule = Callable[[Facts], Answer]
Because = Callable[[Facts, Answer, "Reason | None"], str]


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
    because: Because  # the sentence of an answer
    turns_text: str = ""
    fresh_text: str = ""  # without it what the rule asks is too old to say anything
    of_set: bool = False  # asks nothing of the single unit: the clock apart, one answer for a set

    def remedy(self, party: Party) -> str:
        """What this party can do about it; another party's remedy is better than silence."""
        remedies = dict(self.remedies)
        return remedies.get(party) or next(iter(remedies.values()), "")


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
    live: bool = False  # its sentence may tell values of this very report


# what any report may move; all else that the verifier saw moves with a record or with the set
LIVE_V = Observed._fields.index("boots_24h") + 1  # so many of its first fields
LIVE = frozenset(f"v.{name}" for name in Observed._fields[:LIVE_V])


def appraise(facts: Facts, duties: tuple[Duty, ...]) -> tuple[Appraisal, ...]:
    """Answer every duty. Never raises: our own fault is Outcome.ERROR."""
    return tuple(say(facts, duty, answer(facts, duty)) for duty in duties)


def answer(facts: Facts, duty: Duty) -> Answer:
    """Ask the rule, and count what was kept back as not met."""
    try:
        given = duty.rule(facts)
    except Exception:  # a fault of one rule must not silence the others
        return _FAULT
    if given.missing and is_withheld(facts, given):
        return Answer(Outcome.NOT_MET, given.missing)
    return given


_FAULT = Answer(Outcome.ERROR)
_FALLS_SHORT = (Outcome.NOT_MET, Outcome.NOT_SHOWN)


def is_withheld(facts: Facts, given: Answer) -> bool:
    """Does the answer lack a claim that this profile must show, or this firmware showed before?"""
    owed = facts.must_show | facts.v.shown_before
    return any(name in owed for name in given.missing)


def reason_of(given: Answer) -> Reason | None:
    """Why it is not shown; decided by what is missing, a device's own silence first."""
    if not given.missing:
        return None
    if given.outcome is Outcome.NOT_MET:
        return Reason.WITHHELD
    prefixes = {name.partition(".")[0] for name in given.missing}
    if "d" in prefixes:
        seen = any(name.startswith("d.") and name not in DECLARED_ONLY for name in given.missing)
        return Reason.PROFILE_CANNOT if seen else Reason.UNDECLARED
    return Reason.UNDECLARED if prefixes & {"m", "r"} else Reason.NO_FEED


def say(facts: Facts, duty: Duty, given: Answer) -> Appraisal:
    """Put an answer into words: why, how strong, owed by whom, and what to do."""
    reason = reason_of(given)
    owed_by, owed_because, remedy = None, "", ""
    until = given.turns
    if given.outcome in _FALLS_SHORT:
        owed_by, owed_because = party.owed(facts, duty, reason)
        if given.outcome is Outcome.NOT_MET:
            until = first_after(facts.now, until, party.turns(facts, duty))
        remedy = duty.remedy(owed_by)
    return Appraisal(
        duty=duty.id,
        subject=duty.subject,
        outcome=given.outcome,
        reason=reason,
        because=_because(facts, duty, given, reason),
        assurance=assurance(duty.names, facts.profile, facts.d.declared),
        owed_by=owed_by,
        owed_because=owed_because,
        remedy=remedy,
        until=first_after(facts.now, until),
        live=not LIVE.isdisjoint(duty.names),
    )


def _because(facts: Facts, duty: Duty, given: Answer, reason: Reason | None) -> str:
    try:
        return duty.because(facts, given, reason)
    except Exception:  # as above: a sentence may not take the answer with it
        return f"{duty.id} is {given.outcome}; its sentence could not be built"


def first_after(now: int, *instants: int | None) -> int | None:
    """The earliest of these instants that is still to come."""
    first = None
    for at in instants:
        if at is not None and at > now and (first is None or at < first):
            first = at
    return first


# what each name is worth as proof, strongest first; the weakest name gives the assurance
_STRENGTH = (Assurance.HARDWARE, Assurance.OBSERVED, Assurance.SOFTWARE, Assurance.DECLARED)
# proved by the signature itself: as strong as the key's custody
_KEY_BOUND = frozenset({"v.ueid_bound_to_key", "r.key_origin", "r.key_owners", "r.ueid_owners"})


@lru_cache(maxsize=1024)
def assurance(
    names: tuple[str, ...], profile: Profile, declared: frozenset[str] = frozenset()
) -> Assurance:
    """From the registered profile and the source of each name, never from the device's word."""
    found = [Assurance.DECLARED if name in declared else _worth(name, profile) for name in names]
    return max(
        (worth for worth in found if worth is not None),
        key=_STRENGTH.index,
        default=Assurance.OBSERVED,
    )


def _worth(name: str, profile: Profile) -> Assurance | None:
    if name in _KEY_BOUND:
        return Assurance.OBSERVED if profile is Profile.P0 else Assurance.HARDWARE
    match name.partition(".")[0]:
        case "d":
            stock = profile in (Profile.P0, Profile.P1)
            return Assurance.SOFTWARE if stock else Assurance.HARDWARE
        case "m":
            return Assurance.DECLARED
        case "v":
            return Assurance.OBSERVED
        case _:  # our own records and the clock are what it is compared with
            return Assurance.OBSERVED if name == "r.release_secret_hits" else None
