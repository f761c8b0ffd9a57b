"""What one report costs the verifier in CPU, from bytes to verdict, beside raw ECDSA P-256 verify.

`verify.cached`: the bare token of a board that reports every hour and whose claims-set is known.
`verify.unseen`: the bundle of a board with a claims-set that nobody has sent before. Both take the
steps of `ingest/pipeline.py` with its own context and judge: read the envelope, find the signer,
check signature, token and freshness, find or read the claims-set, gather the facts, judge; each
step for all that share a commit, as the pipeline takes what it is handed at once (the desk hands
it half as many at a time, so that its loop is not deaf). Not in them: session, result (EAR), store,
and to count the report in, which waits for the store: `*.count` tells that apart. `serve` has them
all.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import fleet
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from figures import Figure, at_least, in_turns, reported

import forge
import house
from troth.core.claims import ClaimsSet
from troth.core.freshness import Challenge
from troth.core.trust import opened, sealed
from troth.core.verdict import State
from troth.core.verify import Report as Said
from troth.core.verify import answered, described, parse_evidence
from troth.fleet.context import Signer
from troth.formats import cose
from troth.ingest.desk import TOGETHER
from troth.ingest.pipeline import Pipeline
from troth.ingest.results import Results

BOARDS, ROUNDS = 2 * TOGETHER, 25
KNOWN, UNSEEN = BOARDS, TOGETHER  # reports of each kind in a round
HOUR = 3600
START = house.NOW
ES256 = ec.ECDSA(SHA256())


@dataclass(frozen=True)
class Report:
    """One report as it comes in, made before anything is measured."""

    raw: bytes
    challenge: Challenge
    at: int


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder, house.new_store(Path(folder)) as store:
        boards = fleet.enrol(store, BOARDS, at=START)
        pipeline = Pipeline(store, house.duties(), fleet.POLICY, Results(house.ear_key()))
        pipeline.context.refresh()
        _report_twice(pipeline, boards)
        return [
            *_figures("verify.cached", boards, _Walk(pipeline, _cached(boards)), KNOWN, 0.75),
            *_figures("verify.unseen", boards, _Walk(pipeline, _unseen(boards)), UNSEEN, None),
        ]


def _figures(
    name: str, boards: list[forge.Device], walk: _Walk, each: int, target: float | None
) -> list[Figure]:
    check = signature_checks(boards, ROUNDS * each)

    def checks() -> None:
        for _ in range(TOGETHER):
            check()

    calls = checks, walk.judge, walk.count
    limit, judged, counted = in_turns(*calls, rounds=ROUNDS, each=each // TOGETHER)
    ratio = judged.times_as_fast_as(limit)
    return [
        at_least(name, judged.median_us / TOGETHER, "us", ratio, target),
        reported(f"{name}.count", counted.median_us / TOGETHER, "us"),
    ]


def _report_twice(pipeline: Pipeline, boards: list[forge.Device]) -> None:
    """The second report is the first of which it is known what this firmware showed before."""
    walk = _Walk(pipeline, (_bundle(board, hour) for hour in (0, 1) for board in boards))
    for _ in range(0, 2 * len(boards), TOGETHER):
        walk.judge()
        walk.count()


class _Walk:
    """Some reports after the other, as `Pipeline` takes them up to the verdict."""

    def __init__(self, pipeline: Pipeline, reports: Iterator[Report]) -> None:
        self._context, self._judge = pipeline.context, pipeline.judge
        self._pending = iter(list(reports))
        self._told: deque[tuple[Signer, Said, ClaimsSet, Report]] = deque()

    def judge(self) -> None:
        context = self._context
        reports = list(islice(self._pending, TOGETHER))
        evidence = [parse_evidence(each.raw) for each in reports]
        signers = [context.signer(each.key_id) for each in evidence]
        seals = [sealed(each, who.key) for each, who in zip(evidence, signers, strict=True)]
        verified = [opened(each, each.holds()) for each in seals]
        said = [
            answered(v, each.challenge, now=each.at)
            for v, each in zip(verified, reports, strict=True)
        ]
        sets = [self._known(each) for each in said]
        told = list(zip(signers, said, sets, reports, strict=True))
        verdicts = [
            self._judge.judge(context.facts(who.unit, who.epoch, each.token, claims, now=report.at))
            for who, each, claims, report in told
        ]
        if {each.state for each in verdicts} != {State.COMPLIANT}:
            raise RuntimeError("a healthy board is not compliant, or there are no more reports")
        self._told += told

    def count(self) -> None:
        for _ in range(min(TOGETHER, len(self._told))):
            who, each, claims, report = self._told.popleft()
            self._context.take(who.key.device, who.epoch, each.token, claims, report.at)

    def _known(self, said: Said) -> ClaimsSet:
        at_hand = self._context.claims_set(said.token.set_digest)
        found = described(said, at_hand)
        if found is None:
            raise RuntimeError("the claims-set of a known board is not known")
        return found if found is at_hand else self._context.remember(found)


def signature_checks(boards: list[forge.Device], count: int) -> Callable[[], object]:
    """The limit: one signature check under a key that is at hand, and nothing else."""
    ready = []
    for board in boards:
        evidence = parse_evidence(_bundle(board, 0).raw)
        r, s = evidence.signature[:32], evidence.signature[32:]
        der = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
        signed = cose.signature1(evidence.protected, evidence.payload)
        ready.append((board.private_key.public_key(), der, signed))
    turn = islice(cycle(ready), count)

    def check() -> None:
        key, der, signed = next(turn)
        key.verify(der, signed, ES256)

    return check


def _cached(boards: list[forge.Device]) -> Iterator[Report]:
    for n in range(ROUNDS * KNOWN):
        challenge, said = _moment(2 + n // BOARDS)
        yield Report(boards[n % BOARDS].token(challenge.nonce, **said), challenge, said["iat"])


def _unseen(boards: list[forge.Device]) -> Iterator[Report]:
    """Sets that differ in what no duty weighs, so that the boards stay healthy."""
    for n in range(ROUNDS * UNSEEN):
        board = boards[n % BOARDS]
        made = board.set(agent_digest=forge.digest_of(f"agent {n}"))
        yield _bundle(board, ROUNDS * KNOWN // BOARDS + 2 + n // BOARDS, cfg=made)


def _bundle(board: forge.Device, hour: int, **said: bytes) -> Report:
    challenge, moment = _moment(hour)
    return Report(board.bundle(challenge.nonce, **moment, **said), challenge, moment["iat"])


def _moment(hour: int) -> tuple[Challenge, dict[str, int]]:
    """The challenge of this hour, and what a board says of its time."""
    at = START + hour * HOUR
    challenge = Challenge(f"hour {hour}", forge.nonce_of(hour), at, at + 300)
    return challenge, {"iat": at, "uptime": 1000 + hour * HOUR}
