"""What one report costs the verifier in CPU, from bytes to verdict, beside raw ECDSA P-256 verify.

`verify.cached`: the bare token of a board that reports every hour and whose claims-set is known.
`verify.unseen`: the bundle of a board with a claims-set that nobody has sent before. Both take the
steps of `ingest/pipeline.py` with its own context and judge: read the envelope, find the signer,
check signature, token and freshness, find or read the claims-set, gather the facts, judge, and
count the report in; each step for a whole handful, as the pipeline does. Not in them:
session, result (EAR) and store; `serve` has them all.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import fleet
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from figures import Figure, at_least, in_turns

import forge
import house
from troth.core.claims import ClaimsSet
from troth.core.freshness import Challenge
from troth.core.trust import opened, sealed
from troth.core.verdict import State
from troth.core.verify import Report as Said
from troth.core.verify import answered, described, parse_evidence
from troth.formats import cose
from troth.ingest.desk import HANDFUL
from troth.ingest.pipeline import Pipeline
from troth.ingest.results import Results

BOARDS, ROUNDS = 200, 25
KNOWN, UNSEEN = BOARDS, HANDFUL  # reports of each kind in a round
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
            _figure("verify.cached", boards, _judged(pipeline, _cached(boards)), KNOWN, 0.75),
            _figure("verify.unseen", boards, _judged(pipeline, _unseen(boards)), UNSEEN, None),
        ]


def _figure(
    name: str,
    boards: list[forge.Device],
    call: Callable[[], object],
    each: int,
    target: float | None,
) -> Figure:
    check = signature_checks(boards, ROUNDS * each)

    def checks() -> None:
        for _ in range(HANDFUL):
            check()

    limit, walk = in_turns(checks, call, rounds=ROUNDS, each=each // HANDFUL)
    return at_least(name, walk.median_us / HANDFUL, "us", walk.times_as_fast_as(limit), target)


def _report_twice(pipeline: Pipeline, boards: list[forge.Device]) -> None:
    """The second report is the first of which it is known what this firmware showed before."""
    judged = _judged(pipeline, (_bundle(board, hour) for hour in (0, 1) for board in boards))
    for _ in range(0, 2 * len(boards), HANDFUL):
        judged()


def _judged(pipeline: Pipeline, reports: Iterator[Report]) -> Callable[[], object]:
    """A handful of reports, as `Pipeline` takes them up to the verdict."""
    context, judge = pipeline.context, pipeline.judge
    pending = iter(list(reports))

    def known(said: Said) -> ClaimsSet:
        at_hand = context.claims_set(said.token.set_digest)
        found = described(said, at_hand)
        if found is None:
            raise RuntimeError("the claims-set of a known board is not known")
        return found if found is at_hand else context.remember(found)

    def walk() -> None:
        reports = list(islice(pending, HANDFUL))
        evidence = [parse_evidence(each.raw) for each in reports]
        signers = [context.signer(each.key_id) for each in evidence]
        seals = [sealed(each, who.key) for each, who in zip(evidence, signers, strict=True)]
        verified = [opened(each, each.holds()) for each in seals]
        said = [
            answered(v, each.challenge, now=each.at)
            for v, each in zip(verified, reports, strict=True)
        ]
        sets = [known(each) for each in said]
        told = list(zip(signers, said, sets, reports, strict=True))
        verdicts = [
            judge.judge(context.facts(who.unit, who.epoch, each.token, claims, now=report.at))
            for who, each, claims, report in told
        ]
        for who, each, claims, report in told:
            context.take(who.key.device, who.epoch, each.token, claims, report.at)
        if {each.state for each in verdicts} != {State.COMPLIANT}:
            raise RuntimeError(
                "a healthy board is not compliant, or more is measured than was made"
            )

    return walk


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
