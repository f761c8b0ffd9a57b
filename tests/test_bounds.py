"""A flood costs its sender: what one address may begin, and that nothing else suffers."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import forge
import house
from troth.ingest.bounds import Bounds, source_of
from troth.ingest.http import API, EVIDENCE, RECEIPT, Api
from troth.ingest.pipeline import BUNDLE
from troth.ingest.replies import Reply
from troth.store import Store


def test_a_bucket_is_full_at_first_and_fills_again() -> None:
    clock = house.Clock(0)
    bounds = Bounds(per_s=2, burst=3, clock=clock)
    assert [bounds.admit("a") for _ in range(4)] == [True, True, True, False]
    assert bounds.admit("b")
    clock.now = 1
    assert [bounds.admit("a") for _ in range(3)] == [True, True, False]
    clock.now = 1000
    assert [bounds.admit("a") for _ in range(4)] == [True, True, True, False], "no more than full"


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 3)), max_size=60))
def test_no_source_begins_more_than_its_burst_and_rate(asked: list[tuple[str, int]]) -> None:
    clock = house.Clock(0)
    bounds = Bounds(per_s=1, burst=5, clock=clock)
    admitted: dict[str, int] = {}
    for source, wait in asked:
        clock.now += wait
        admitted[source] = admitted.get(source, 0) + bounds.admit(source)
        assert admitted[source] <= 5 + clock.now


def test_memory_is_bounded_and_the_longest_silent_is_forgotten() -> None:
    bounds = Bounds(per_s=1, burst=1, most=3, clock=house.Clock(0))
    assert all(bounds.admit(source) for source in "abc")
    assert not bounds.admit("a")  # heard again: now b is the longest silent
    assert bounds.admit("d")
    assert len(bounds._left) == 3
    assert not bounds.admit("a")
    assert bounds.admit("b")


@pytest.mark.parametrize(
    ("client", "source"),
    [
        (("192.0.2.7", 4711), "192.0.2.7"),
        (("::ffff:192.0.2.7", 4711), "192.0.2.7"),
        (("2001:db8:1:2:3:4:5:6", 4711), "2001:0db8:0001:0002"),
        (("127.0.0.1", 4711), None),
        (("::1", 4711), None),
        (("::ffff:127.0.0.1", 4711), None),
        (("a socket", 0), None),
        (None, None),
    ],
)
def test_an_address_is_a_source_and_this_machine_is_none(client: Any, source: str | None) -> None:
    assert source_of(client) == source


def test_the_short_way_in_is_bounded_as_well(store: Store) -> None:
    api = Api(house.pipeline(store), bounds=Bounds(per_s=0, burst=1))
    asked = (API + "newSession", b"", {})
    told = [api.expects(*asked, source) for source in ("192.0.2.7", "192.0.2.7", None, None)]
    assert [reply.status for reply in told if isinstance(reply, Reply)] == [201, 429, 201, 201]


def test_a_flood_is_told_to_wait_and_a_neighbour_is_served(store: Store) -> None:
    board = forge.Device(1)
    device = house.enrol(store, board)

    async def main() -> None:
        api = Api(house.pipeline(store), bounds=Bounds(per_s=0, burst=3))

        def client(address: str) -> httpx.AsyncClient:
            transport = httpx.ASGITransport(api, raise_app_exceptions=False, client=(address, 1))
            return httpx.AsyncClient(transport=transport, base_url="http://verifier")

        async with client("192.0.2.7") as flood, client("192.0.2.8") as neighbour:
            begun = [
                await flood.post(API + "newSession"),
                await flood.post(EVIDENCE, content=b"noise", headers={"content-type": BUNDLE}),
                await flood.post(f"{RECEIPT}?ueid={board.ueid.hex()}", content=bytes(32)),
            ]
            assert [told.status_code for told in begun] == [201, 200, 200]
            told = await flood.post(API + "newSession")
            assert (told.status_code, told.json()["code"]) == (429, "server.flood")
            assert int(told.headers["retry-after"]) > 0
            # what was begun may be finished
            nonce = b64decode(begun[0].json()["nonce"])
            session = API + begun[0].headers["location"]
            said = await flood.post(
                session, content=board.bundle(nonce), headers={"content-type": BUNDLE}
            )
            assert said.json()["status"] == "complete"
            assert (await neighbour.post(API + "newSession")).status_code == 201

    asyncio.run(main())
    assert store.rejections() == ()
    assert len(store.evidences(device)) == 1
