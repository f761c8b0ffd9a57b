"""The challenge-response API as a board or another verifier's client meets it (WIRE 0, 2.7)."""

from __future__ import annotations

import json
from base64 import b64decode, urlsafe_b64decode
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import httpx
import jwt
import pytest

import forge
import house
from troth.ingest.http import API, DISCOVERY, Api
from troth.ingest.pipeline import BARE, BUNDLE, Pipeline
from troth.store import Store

SESSION = "application/vnd.veraison.challenge-response-session+json"


@pytest.fixture
def pipeline(store: Store) -> Pipeline:
    return house.pipeline(store)


Talk = Callable[[httpx.AsyncClient], Coroutine[Any, Any, None]]


@pytest.fixture
def talk(pipeline: Pipeline) -> Callable[[Talk], None]:
    """Run one conversation with a fresh Api."""
    import asyncio

    def run(conversation: Talk) -> None:
        async def main() -> None:
            transport = httpx.ASGITransport(Api(pipeline), raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://verifier") as client:
                await conversation(client)

        asyncio.run(main())

    return run


async def open_session(client: httpx.AsyncClient) -> tuple[str, bytes]:
    told = await client.post(API + "newSession?nonceSize=32")
    assert told.status_code == 201, told.text
    return API + told.headers["location"], b64decode(told.json()["nonce"])


async def post(
    client: httpx.AsyncClient, url: str, raw: bytes, kind: str = BUNDLE
) -> httpx.Response:
    return await client.post(url, content=raw, headers={"content-type": kind})


def test_a_session_opens_as_veraison_opens_it(talk: Callable[[Talk], None]) -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        told = await client.post(API + "newSession?nonceSize=32", headers={"accept": SESSION})
        assert told.status_code == 201
        assert told.headers["content-type"] == SESSION
        assert told.headers["location"].startswith("session/")
        said = told.json()
        assert said["status"] == "waiting"
        assert said["accept"] == [BARE, BUNDLE]
        assert said["expiry"] == "2026-09-21T14:18:20Z"
        assert b64decode(said["nonce"]) == urlsafe_b64decode(said["nonce"])
        assert len(b64decode(said["nonce"])) == 32

    talk(conversation)


def test_good_evidence_gets_a_signed_result(
    talk: Callable[[Talk], None], board: forge.Device
) -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        url, nonce = await open_session(client)
        raw = board.bundle(nonce)
        told = await post(client, url, raw)
        assert told.status_code == 200, told.text
        said = told.json()
        assert said["status"] == "complete"
        assert b64decode(said["evidence"]["value"]) == raw
        key = (await client.get(DISCOVERY)).json()["ear-verification-key"]
        claims = jwt.decode(
            said["result"],
            jwt.PyJWK(key).key,
            algorithms=["ES256"],
            options={"verify_exp": False, "verify_iat": False},
        )
        assert claims["eat_profile"] == "tag:ietf.org,2026:rats/ear#04"
        result = claims["submods"]["board"]
        assert result["ear_verifier_claims"]["troth_state"] == "compliant"
        assert urlsafe_b64decode(result["eat_nonce"] + "=") == nonce
        again = await post(client, url, raw)
        assert again.json() == said
        assert (await client.get(url)).json()["result"] == said["result"]

    talk(conversation)


def test_an_unknown_set_is_asked_for(talk: Callable[[Talk], None], board: forge.Device) -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        url, nonce = await open_session(client)
        told = await post(client, url, board.token(nonce), BARE)
        assert told.status_code == 200
        said = told.json()
        assert said["status"] == "waiting"
        assert urlsafe_b64decode(said["wanted"][0] + "=") == board.set_digest()
        assert (await post(client, url, board.bundle(nonce))).json()["status"] == "complete"

    talk(conversation)


def test_bad_evidence_is_200_and_contraindicated(
    talk: Callable[[Talk], None], board: forge.Device
) -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        url, nonce = await open_session(client)
        told = await post(client, url, forge.Device(9).bundle(nonce))
        assert told.status_code == 200
        claims = jwt.decode(told.json()["result"], options={"verify_signature": False})
        assert claims["ear_status"] == "contraindicated"
        other = await post(client, url, board.bundle(nonce))
        assert (other.status_code, other.json()["code"]) == (409, "nonce.spent")

    talk(conversation)


FAULTS = {
    "empty": (b"", BARE, {}, 400, "cbor.truncated"),
    "not cbor": (b"hello", BARE, {}, 400, None),
    "form and type differ": ("token", BUNDLE, {}, 400, "cose.structure"),
    "too large": (bytes(16385), BUNDLE, {}, 413, "size.limit"),
    "wrong type": ("bundle", "application/json", {}, 415, "media.unsupported"),
    "no type": ("bundle", "", {}, 415, "media.unsupported"),
    "compressed": ("bundle", BUNDLE, {"content-encoding": "gzip"}, 415, "media.unsupported"),
    "odd accept": ("bundle", BUNDLE, {"accept": "text/html"}, 406, "accept.unknown"),
}


@pytest.mark.parametrize("case", FAULTS.values(), ids=list(FAULTS))
def test_a_fault_of_the_envelope_spends_nothing(
    case: tuple[Any, ...], talk: Callable[[Talk], None], board: forge.Device, store: Store
) -> None:
    what, kind, headers, status, code = case

    async def conversation(client: httpx.AsyncClient) -> None:
        url, nonce = await open_session(client)
        raw = what if isinstance(what, bytes) else getattr(board, what)(nonce)
        told = await client.post(url, content=raw, headers={"content-type": kind, **headers})
        assert told.status_code == status
        assert told.headers["content-type"] == "application/problem+json"
        if code:
            assert told.json()["code"] == code
        if status == 415:
            assert BARE in told.headers["accept"]
        assert (await post(client, url, board.bundle(nonce))).json()["status"] == "complete"

    talk(conversation)


def test_an_endless_body_is_cut_at_the_limit(talk: Callable[[Talk], None]) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 4096
            yield bytes(4096)

    async def conversation(client: httpx.AsyncClient) -> None:
        url, _ = await open_session(client)
        told = await client.post(url, content=endless(), headers={"content-type": BARE})
        assert told.status_code == 413
        assert sent <= 16384 + 2 * 4096

    talk(conversation)


QUESTIONS = {
    "an unknown session": ("POST", API + "session/00", 404, "nonce.unknown"),
    "an unknown session, asked": ("GET", API + "session/00", 404, "nonce.unknown"),
    "a nonce of the caller": ("POST", API + "newSession?nonce=AAAA", 400, "nonce.foreign"),
    "another size": ("POST", API + "newSession?nonceSize=64", 400, "nonce.size"),
    "nowhere": ("GET", "/admin", 404, "path.unknown"),
    "a wrong verb": ("PUT", API + "session/00", 405, "method.unknown"),
    "a wrong verb for a new session": ("GET", API + "newSession", 405, "method.unknown"),
}


@pytest.mark.parametrize("case", QUESTIONS.values(), ids=list(QUESTIONS))
def test_what_is_not_there_is_said_plainly(
    case: tuple[str, str, int, str], talk: Callable[[Talk], None]
) -> None:
    method, path, status, code = case

    async def conversation(client: httpx.AsyncClient) -> None:
        told = await client.request(method, path, content=b"x", headers={"content-type": BARE})
        assert (told.status_code, told.json()["code"]) == (status, code)

    talk(conversation)


def test_a_closed_session_is_gone(talk: Callable[[Talk], None], board: forge.Device) -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        url, nonce = await open_session(client)
        assert (await client.get(url)).json()["status"] == "waiting"
        assert (await client.delete(url)).status_code == 204
        assert (await client.get(url)).status_code == 404
        assert (await post(client, url, board.bundle(nonce))).status_code == 404

    talk(conversation)


def test_discovery_and_health(talk: Callable[[Talk], None]) -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        told = (await client.get(DISCOVERY)).json()
        assert told["service-state"] == "READY"
        assert told["media-types"] == [BARE, BUNDLE]
        assert told["attestation-schemes"] == ["TROTH"]
        assert set(told["ear-verification-key"]) >= {"kty", "crv", "x", "y"}
        assert (await client.get("/healthz")).json() == {"status": "ok", "store": "ok"}

    talk(conversation)


def test_our_own_fault_is_503_and_never_a_verdict(
    talk: Callable[[Talk], None], board: forge.Device, store: Store
) -> None:
    async def conversation(client: httpx.AsyncClient) -> None:
        url, nonce = await open_session(client)
        store.close()
        told = await post(client, url, board.bundle(nonce))
        assert told.status_code == 503
        assert told.json()["code"] == "store.unavailable"
        assert "result" not in json.dumps(told.json())

    talk(conversation)


def test_another_master_of_the_fuse_keys_is_our_own_fault_and_spends_nothing(store: Store) -> None:
    import asyncio

    fused = forge.MacDevice(3)
    house.enrol(store, fused)

    async def ask(master: bytes, url: str, nonce: bytes) -> tuple[httpx.Response, str, bytes]:
        api = Api(house.pipeline(store, master=master))
        transport = httpx.ASGITransport(api, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://verifier") as client:
            if not url:
                url, nonce = await open_session(client)
            return await post(client, url, fused.bundle(nonce)), url, nonce

    refused, url, nonce = asyncio.run(ask(bytes(32), "", b""))
    assert (refused.status_code, refused.json()["code"]) == (503, "key.mismatch")
    assert "retry-after" in refused.headers
    assert "master" not in refused.text
    judged, *_ = asyncio.run(ask(forge.MASTER, url, nonce))
    assert (judged.status_code, judged.json()["status"]) == (200, "complete")
