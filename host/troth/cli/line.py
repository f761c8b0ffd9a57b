"""The verifier in this process, for boards that answer over their serial port."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ..catalogue.loader import bundled
from ..core.claims import ClaimsSet
from ..core.device import Registration
from ..core.duties import Outcome
from ..core.freshness import Challenge
from ..core.keyring import KeyRing
from ..core.verdict import Catalogue, State, Verdict
from ..core.verify import Report, verdict_on
from ..factory.keys import open_ring, read_private_key
from ..factory.order import Preview
from ..ingest.outcomes import Judged, NotTaken, TurnedAway
from ..ingest.pipeline import Pipeline
from ..ingest.results import Results
from ..settings import Settings
from ..store import Store
from ..trouble import Trouble
from .maker import open_home
from .output import NON_COMPLIANT, OK, UNKNOWN

_ONCE_MORE = "try again; if it stays, provision the board again: troth provision --port P"


class LocalVerifier:
    """One pipeline of our own, and what it says put into plain words."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._catalogue: Catalogue = bundled(settings.policy.packs)
        self.ring: KeyRing = open_ring(settings.hmac_master)
        self._pipeline = Pipeline(
            store,
            self._catalogue,
            settings.policy,
            Results(read_private_key(settings.ear_key)),
            ttl_s=settings.challenge_ttl_s,
            ring=self.ring,
        )

    def challenge(self, ueid: bytes) -> Challenge:
        """A fresh challenge, good for this device alone."""
        return self._pipeline.challenge(ueid)

    def preview(
        self, unit: Registration, report: Report, claims_set: ClaimsSet, sealed: bool
    ) -> Preview:
        """Judge a unit as it leaves the line; what it merely kept back does not count as short."""
        self._pipeline.context.refresh()
        now = self._pipeline.clock()
        facts = self._pipeline.context.facts(unit, 1, report.token, claims_set, now=now)
        if sealed:
            facts = facts._replace(d=replace(facts.d, repl="sealed"))
        verdict = verdict_on(facts, self._catalogue)
        short = (
            each.duty
            for each in verdict.appraisals
            if each.outcome is Outcome.NOT_MET and each.reason is None
        )
        return Preview(told(verdict), tuple(short))

    def submit(self, session: str, raw: bytes) -> dict[str, Any]:
        """Judge and record. Raises Trouble with the code of the rejection."""
        try:
            outcome = self._pipeline.submit(session, raw)
        except NotTaken as err:
            raise Trouble(
                err.code, "the board's evidence was not taken", why=err.text, fix=_ONCE_MORE
            ) from err
        if isinstance(outcome, TurnedAway):
            said = outcome.why
            raise Trouble(said.code, "the evidence is refused", why=str(said), fix=_ONCE_MORE)
        if not isinstance(outcome, Judged):
            raise Trouble("board.answer", "the board kept its claims-set back", fix=_ONCE_MORE)
        return told(outcome.verdict)


def told(verdict: Verdict) -> dict[str, Any]:
    """State, what falls short and who owes it, and what is not shown yet."""
    binding = verdict.duty_set.mandatory
    open_ = [
        each
        for each in verdict.appraisals
        if each.duty in binding and each.outcome is Outcome.NOT_SHOWN
    ]
    return {
        "state": verdict.state.value,
        "failing": [each.duty for each in verdict.failing],
        "owed_by": {
            each.duty: each.owed_by.value if each.owed_by else None for each in verdict.failing
        },
        "open": [each.duty for each in open_],
        "because": {each.duty: each.because for each in (*verdict.failing, *open_)},
    }


def exit_of(state: str) -> int:
    """The exit code that tells a state."""
    if state == State.NON_COMPLIANT:
        return NON_COMPLIANT
    return UNKNOWN if state in (State.UNKNOWN, State.STALE) else OK


@contextmanager
def open_line() -> Iterator[tuple[Settings, Store, LocalVerifier]]:
    """The home, its store, and a verifier over it."""
    with open_home() as (settings, store):
        yield settings, store, LocalVerifier(settings, store)
