"""ECDSA here and in a process beside: the same answers, and none lost when that process dies."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import forge
import house
from troth.core.evidence import parse_evidence
from troth.core.trust import Sealed, sealed
from troth.formats import cose
from troth.ingest.arithmetic import Beside, Here
from troth.ingest.desk import HANDFUL, Desk
from troth.ingest.outcomes import Judged, Outcome, TurnedAway
from troth.ingest.pipeline import BARE, BUNDLE
from troth.ingest.results import Results
from troth.ingest.steps import Message
from troth.store import Store

BOARD = forge.Device(1)
FUSED = forge.MacDevice(2)
MANY = HANDFUL + 8


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with house.new_store(tmp_path) as store:
        house.enrol(store, BOARD)
        store.add_release(house.release(BOARD), b"signed", at=house.NOW)
        yield store


def seals() -> list[Sealed]:
    """Good ones, a MAC, and ones that do not hold."""
    made = []
    for n in range(MANY):
        evidence = parse_evidence(BOARD.token(forge.nonce_of(n)))
        if n % 3 == 1:
            evidence = evidence._replace(payload=evidence.payload + b"\0")
        made.append(sealed(evidence, BOARD.enrol()))
    maced = parse_evidence(FUSED.token(forge.nonce_of(0)))
    return [*made, sealed(maced, FUSED.enrol_mac())]


async def told(ask: Callable[[Any, Callable[[Any], None]], None], asks: Any) -> Any:
    answer = asyncio.get_running_loop().create_future()
    ask(asks, answer.set_result)
    return await asyncio.wait_for(answer, 20)


async def beside() -> Beside:
    """With the other process started and listening."""
    made = Beside(Results(house.ear_key()))
    async with asyncio.timeout(20):
        while made._other is None or not made._other.ready:
            await told(made.sign, [b"a crowd"] * MANY)
            await asyncio.sleep(0.01)
    return made


async def made(kind: type[Here]) -> Here:
    return await beside() if kind is Beside else kind(Results(house.ear_key()))


def in_loop(work: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(work())  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [Here, Beside])
@pytest.mark.parametrize("count", [0, 1, MANY + 1])
def test_a_seal_holds_or_not_wherever_it_is_checked(kind: type[Here], count: int) -> None:
    asks = seals()[:count]

    async def work() -> Any:
        arithmetic = await made(kind)
        try:
            return await told(arithmetic.check, asks)
        finally:
            arithmetic.close()

    assert in_loop(work) == [each.holds() for each in asks]


@pytest.mark.parametrize("kind", [Here, Beside])
def test_what_is_signed_verifies_under_the_verifiers_key(kind: type[Here]) -> None:
    said = [b"result %d" % n for n in range(MANY)]

    async def work() -> Any:
        arithmetic = await made(kind)
        try:
            return await told(arithmetic.sign, said)
        finally:
            arithmetic.close()

    signatures = in_loop(work)
    for each, signature in zip(said, signatures, strict=True):
        cose.check_es256(house.ear_key().public_key(), signature, each)


def test_answers_come_in_the_order_of_the_asks() -> None:
    asks = seals()

    async def work() -> list[int]:
        arithmetic = await beside()
        seen: list[int] = []
        for n in range(3):
            arithmetic.check(asks, lambda _, n=n: seen.append(n))  # type: ignore[misc]
        await told(arithmetic.check, asks)
        arithmetic.close()
        return seen

    assert in_loop(work) == [0, 1, 2]


@pytest.mark.parametrize("late", [False, True], ids=["with asks under way", "between two asks"])
def test_when_the_other_process_dies_this_one_answers(late: bool) -> None:
    asks = seals()

    async def work() -> tuple[Any, Any]:
        arithmetic = await beside()
        pid = arithmetic._other._child.pid
        os.kill(pid, signal.SIGKILL if late else signal.SIGSTOP)
        first = asyncio.ensure_future(told(arithmetic.check, asks))
        await asyncio.sleep(0.01)
        if not late:
            assert not first.done()
            os.kill(pid, signal.SIGKILL)
        answers = await first, await told(arithmetic.sign, [b"said"] * MANY)
        arithmetic.close()
        return answers

    checked, signed = in_loop(work)
    assert checked == [each.holds() for each in asks]
    assert len(signed) == MANY


def test_one_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("troth.ingest.arithmetic._PATIENCE_S", 0.1)
    asks = seals()

    async def work() -> tuple[Any, int | None]:
        arithmetic = await beside()
        os.kill(arithmetic._other._child.pid, signal.SIGSTOP)
        checked = await told(arithmetic.check, asks)
        return checked, arithmetic._other._child.returncode

    assert in_loop(work) == ([each.holds() for each in asks], -signal.SIGKILL)


def test_few_boards_start_no_process() -> None:
    async def work() -> bool:
        arithmetic = Beside(Results(house.ear_key()))
        await told(arithmetic.check, seals()[:2])
        arithmetic.close()
        return arithmetic._other is None

    assert in_loop(work)


def test_the_other_process_ends_with_its_wire() -> None:
    async def work() -> int | None:
        arithmetic = await beside()
        await told(arithmetic.check, seals())
        arithmetic.close()
        return arithmetic._other._child.returncode

    assert in_loop(work) == 0


def test_a_crowd_is_answered_alike_by_a_desk_with_help(store: Store) -> None:
    pipeline = house.pipeline(store)
    challenges = [pipeline.challenge() for _ in range(MANY)]
    bundle = BOARD.bundle(challenges[0].nonce)
    sent = [Message(challenges[0].session, bundle, BUNDLE, house.NOW)]
    for n, challenge in enumerate(challenges[1:]):
        # every fourth answers its neighbour's challenge
        nonce = challenges[n if n % 4 == 0 else n + 1].nonce
        sent.append(Message(challenge.session, BOARD.token(nonce), BARE, house.NOW))

    async def work() -> list[Outcome | Exception]:
        loop = asyncio.get_running_loop()
        desk = Desk(pipeline, arithmetic=await beside())
        answers = [loop.create_future() for _ in sent]
        try:
            desk.submit(sent[0], answers[0].set_result)
            await answers[0]
            for message, answer in zip(sent[1:], answers[1:], strict=True):
                desk.submit(message, answer.set_result)
            return list(await asyncio.wait_for(asyncio.gather(*answers), 20))
        finally:
            desk.close()

    outcomes = in_loop(work)
    wanted = [Judged, *(TurnedAway if n % 4 == 0 else Judged for n in range(MANY - 1))]
    assert [type(each) for each in outcomes] == wanted
