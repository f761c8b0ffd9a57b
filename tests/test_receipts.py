"""A receipt is over what is on disk, for its own device, under the key that boards pin."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import cbor2
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import agent_support  # noqa: F401  the agent's modules, under CPython
import forge
import house
from troth.formats import cbor, cose
from troth.ingest.carrier import Carrier, Status
from troth.ingest.http import RECEIPT, Api
from troth.ingest.outcomes import BadEnvelope, NotTaken
from troth.ingest.pipeline import Pipeline
from troth.ingest.receipts import MOST, read_digests
from troth.ingest.replies import Problem
from troth.ingest.steps import Sent
from troth.store import Store, StoreUnavailable
from troth_agent import receipt

HEADER = bytes.fromhex("a201261019fdea")
KEY = house.ear_key().public_key()
Talk = Callable[[httpx.AsyncClient, Carrier], Coroutine[Any, Any, Any]]


def talk(store: Store, conversation: Talk) -> Any:
    async def main() -> Any:
        api = Api(house.pipeline(store))
        transport = httpx.ASGITransport(api, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://verifier") as client:
            return await conversation(client, api.carrier)

    return asyncio.run(main())


def sha256(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()


def read(message: bytes) -> dict[int, Any]:
    """As a peer reads it: any COSE library would do."""
    tag = cbor2.loads(message)
    protected, unprotected, payload, signature = tag.value
    assert (tag.tag, protected, unprotected) == (18, HEADER, {})
    cose.check_es256(KEY, signature, cose.signature1(protected, payload))
    cbor.read(payload, path="receipt")  # deterministic
    said: dict[int, Any] = cbor2.loads(payload)
    return said


async def ask(client: httpx.AsyncClient, ueid: bytes, *digests: bytes) -> httpx.Response:
    return await client.post(f"{RECEIPT}?ueid={ueid.hex()}", content=b"".join(digests))


def test_it_names_what_is_on_record_and_leaves_out_the_rest(
    store: Store, board: forge.Device
) -> None:
    async def conversation(client: httpx.AsyncClient, carrier: Carrier) -> None:
        handle = cbor2.loads(await carrier.epoch())[10]
        raw, late, unsent = (board.bundle(handle, counter=n) for n in (5, 4, 6))
        refused = board.bundle(bytes(32), counter=7)
        kinds = [(await carrier.carry(each)).status for each in (raw, late, refused)]
        assert kinds == [Status.ACCEPTED, Status.LATE, Status.REFUSED]
        asked = [sha256(each) for each in (unsent, late, refused, raw)]
        told = await ask(client, board.ueid, *asked)
        assert told.headers["content-type"] == "application/cose"
        said = read(told.content)
        assert said == {6: house.NOW, 256: board.ueid, -80003: [sha256(late), sha256(raw)]}

    talk(store, conversation)


def test_the_agent_believes_it(store: Store, board: forge.Device) -> None:
    async def conversation(client: httpx.AsyncClient, carrier: Carrier) -> bytes:
        handle = cbor2.loads(await carrier.epoch())[10]
        told = await carrier.carry(board.bundle(handle, counter=5), receipt=True)
        assert told.receipt
        return told.receipt

    message = talk(store, conversation)
    point = KEY.public_numbers()
    pinned = point.x.to_bytes(32, "big") + point.y.to_bytes(32, "big")
    digests = receipt.read(message, pinned, board.ueid)
    assert digests == read(message)[-80003]
    with pytest.raises(Exception, match="another board"):
        receipt.read(message, pinned, bytes(7))


def test_nobody_gets_a_receipt_for_another_device_s_evidence(
    store: Store, board: forge.Device
) -> None:
    other = forge.Device(2)
    house.enrol(store, other)

    async def conversation(client: httpx.AsyncClient, carrier: Carrier) -> None:
        raw = board.bundle(cbor2.loads(await carrier.epoch())[10], counter=5)
        await carrier.carry(raw)
        for ueid in (other.ueid, bytes(7)):  # enrolled or not, the answer is alike
            assert read((await ask(client, ueid, sha256(raw))).content)[-80003] == []

    talk(store, conversation)


def test_what_did_not_come_to_disk_gets_none(store: Store, board: forge.Device) -> None:
    async def conversation(client: httpx.AsyncClient, carrier: Carrier) -> None:
        raw = board.bundle(cbor2.loads(await carrier.epoch())[10], counter=5)
        store._writer.close()
        with pytest.raises(StoreUnavailable):
            await carrier.carry(raw, receipt=True)
        assert read((await ask(client, board.ueid, sha256(raw))).content)[-80003] == []

    talk(store, conversation)


@pytest.mark.parametrize("size", [0, 31, 33, 32 * MOST + 32])
def test_a_request_that_is_none_is_told_so(store: Store, board: forge.Device, size: int) -> None:
    async def conversation(client: httpx.AsyncClient, _: Carrier) -> None:
        told = await ask(client, board.ueid, bytes(size))
        assert (told.status_code, told.json()["code"]) == (400, "receipt.malformed")
        nobody = await client.post(RECEIPT, content=bytes(32))
        assert (nobody.status_code, nobody.json()["code"]) == (400, "id.malformed")

    talk(store, conversation)


@given(st.binary(max_size=700))
def test_any_bytes_are_digests_or_refused(raw: bytes) -> None:
    try:
        digests = read_digests(raw)
    except Problem:
        assert len(raw) not in range(32, 32 * MOST + 1, 32)
    else:
        assert b"".join(digests) == raw
        assert 0 < len(digests) <= MOST


# --- carried challenges ----------------------------------------------------------------------


def test_a_carried_challenge_is_its_devices_and_answered_once(
    store: Store, board: forge.Device
) -> None:
    other = forge.Device(2)
    house.enrol(store, other)

    async def conversation(_: httpx.AsyncClient, carrier: Carrier) -> None:
        said = cbor2.loads(await carrier.ask(board.ueid.hex()))
        assert set(said) == {4, 10}
        theirs = await carrier.carry(other.bundle(said[10]), ueid=other.ueid.hex())
        assert (theirs.status, theirs.code) == (Status.REFUSED, "nonce.replayed")

        said = cbor2.loads(await carrier.ask(board.ueid.hex()))
        raw, twin = board.bundle(said[10]), board.bundle(said[10], uptime=5)
        first = await carrier.carry(raw, ueid=board.ueid.hex(), result=True)
        assert (first.status, bool(first.result)) == (Status.ACCEPTED, True)
        again = await carrier.carry(raw, ueid=board.ueid.hex(), receipt=True)
        assert again.status is Status.ACCEPTED
        assert read(again.receipt or b"")[-80003] == [sha256(raw)]
        spent = await carrier.carry(twin, ueid=board.ueid.hex())
        assert (spent.status, spent.code) == (Status.REFUSED, "nonce.spent")

    talk(store, conversation)


def test_who_brings_another_s_evidence_answers_for_it(store: Store, board: forge.Device) -> None:
    thief = forge.Device(2)
    ident = house.enrol(store, thief)

    async def conversation(_: httpx.AsyncClient, carrier: Carrier) -> None:
        raw = board.bundle(cbor2.loads(await carrier.epoch())[10], counter=5)
        told = await carrier.carry(raw, ueid=thief.ueid.hex(), receipt=True)
        assert (told.status, told.code, told.receipt) == (Status.REFUSED, "id.mismatch", None)

    talk(store, conversation)
    assert [row.code for row in store.rejections(ident)] == ["id.mismatch"]
    assert len(store.rejections()) == 1


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with house.new_store(tmp_path_factory.mktemp("noise")) as store:
        house.enrol(store, forge.Device(1))
        yield house.pipeline(store)


_VALID = forge.Device(1).token(bytes(32), counter=0)


@given(
    st.one_of(
        st.binary(max_size=600),
        st.tuples(st.integers(0, len(_VALID) - 1), st.integers(1, 255)).map(
            lambda at: _VALID[: at[0]] + bytes((_VALID[at[0]] ^ at[1],)) + _VALID[at[0] + 1 :]
        ),
    )
)
def test_noise_without_a_session_is_refused_and_not_filed(pipeline: Pipeline, raw: bytes) -> None:
    prepared = pipeline.prepare([Sent(raw, house.NOW)])
    assert [type(end) for end in prepared.ends] in ([NotTaken], [BadEnvelope])
    assert prepared.changes == []
