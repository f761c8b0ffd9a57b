"""Under which names the pages answer: on loopback to loopback's own, so that no page reads ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from standing import NOW, Standing
from troth.web.app import pages

NAMES = {
    "127.0.0.1:8080": 200,
    "[::1]:8080": 200,
    "LOCALHOST": 200,
    "troth.localhost:8080": 200,
    "evil.example": 421,
    "evillocalhost": 421,
    "localhost.evil.example:8080": 421,
    "127.0.0.1.evil.example": 421,
    "::1": 421,  # no form of a Host header
    "": 421,
}


@pytest.fixture
def fleet(tmp_path: Path) -> Standing:
    return Standing(tmp_path)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name or "none")
def test_on_loopback_no_stranger_s_name_is_answered_to(fleet: Standing, name: str) -> None:
    asked = client(fleet, "http://127.0.0.1").get("/docs/trust", headers={"host": name})
    assert asked.status_code == NAMES[name]
    assert ("page.host" in asked.text) == (asked.status_code == 421)
    assert "content-security-policy" in asked.headers


def test_elsewhere_any_name_is(fleet: Standing) -> None:
    asked = client(fleet, "http://192.0.2.1").get("/docs/trust", headers={"host": "troth.example"})
    assert asked.status_code == 200


def client(fleet: Standing, at: str) -> TestClient:
    app = pages(fleet.store, fleet.catalogue, fleet.policy, clock=lambda: NOW)
    return TestClient(app, base_url=at)
