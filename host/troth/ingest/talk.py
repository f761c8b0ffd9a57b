"""One log line per message, for people and for grep; never keys, nonces or payloads."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from time import monotonic

from ..core.duties import Outcome as Answer
from ..core.verdict import Verdict
from .desk import Said
from .outcomes import Filed, Judged, Kept, NotTaken, Outcome, Repeated, TurnedAway, Waiting

_KEPT = 100_000  # devices
_FINE = (Answer.MET, Answer.NOT_APPLICABLE)


class Talk:
    """Writes lines to stderr; `name` turns a device id into what people call it."""

    def __init__(self, name: Callable[[str], str], *, quiet: bool = False) -> None:
        self._name = name
        self._quiet = quiet
        self._scores: dict[str, tuple[Verdict, str]] = {}

    def __call__(self, handful: Sequence[Said]) -> None:
        if self._quiet:
            return
        now = monotonic()
        lines = [
            f"{self._words(outcome)} bytes={len(message.raw)} ms={(now - since) * 1000:.0f}\n"
            for message, outcome, since in handful
        ]
        sys.stderr.write("".join(lines))

    def _words(self, outcome: Outcome | Exception) -> str:
        match outcome:
            case Judged():
                verdict = outcome.verdict
                return (
                    f"device={self._name(outcome.device)} verdict={verdict.state} code=- "
                    f"duties={self._score(verdict)}"
                )
            case TurnedAway():
                device = self._name(outcome.device) if outcome.device else "-"
                return f"device={device} verdict=- code={outcome.why.code}"
            case Kept():
                return f"device={self._name(outcome.device)} verdict=- code=late"
            case Filed():
                device = self._name(outcome.device) if outcome.device else "-"
                return f"device={device} verdict=- code={outcome.code}"
            case Waiting():
                return f"device={self._name(outcome.device)} verdict=- code=set.wanted"
            case Repeated():
                return "device=- verdict=- code=repeated"
            case NotTaken():
                return f"device=- verdict=- code={outcome.code}"
            case _:
                code = getattr(outcome, "code", "server.internal")
                return f"device=- verdict=- code={code}"

    def _score(self, verdict: Verdict) -> str:
        """Met of mandatory duties, counted once for as long as the same verdict stands."""
        held, score = self._scores.get(verdict.device, (None, ""))
        if (
            held is None
            or held.appraisals is not verdict.appraisals
            or held.duty_set is not verdict.duty_set
        ):
            if len(self._scores) >= _KEPT:
                self._scores.clear()
            score = _score(verdict)
            self._scores[verdict.device] = (verdict, score)
        return score


def _score(verdict: Verdict) -> str:
    mandatory = verdict.duty_set.mandatory
    met = sum(each.outcome in _FINE for each in verdict.appraisals if each.duty in mandatory)
    return f"{met}/{len(mandatory)}"
