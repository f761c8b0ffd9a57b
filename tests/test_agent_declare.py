"""What a maker declares: a closed set of names, typed, complete, taken back as easily as said."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cbor2
import pytest

from agent_support import FakeBoard, finish, labelled, plug_in
from test_agent_board import SETTINGS

import troth_agent  # isort: skip  (agent_support makes it importable)
from troth_agent import Trouble, board
from troth_agent.declared import CLAIMS
from troth_agent.keys.soft import SoftKey

CDDL = Path(__file__).parents[1] / "host/troth/formats/troth.cddl"
EVERYTHING: dict[str, Any] = {
    "password_state": "user",
    "factory_state": False,
    "has_network_login": True,
    "lockout": "count",
    "lockout_max_tries": 5,
    "net_config": True,
    "config_write_auth": True,
    "service_auth": ["certificate"],
    "auth_algs": ["ES256"],
    "algs": ["AES-128-CCM", "ES256", "SHA-256"],
    "services": ["http", "mdns"],
    "listeners": ["80/tcp", "5353/udp"],
    "links": ["mqtts"],
    "links_verified": True,
    "tls_min": "1.2",
    "wifi_auth": "wpa2-wpa3",
    "ble_pairing": "lesc",
    "update_auth": "tls-pinned",
    "auto_update": True,
    "update_last_check": 1_790_000_000,
    "telemetry": ["uptime", "temperature"],
    "sensors": ["temperature"],
    "location_present": False,
    "erase_supported": True,
    "factory_reset": True,
    "wdt_on": True,
    "log_on": True,
    "time_synced": True,
    "cfg_survived_reboot": True,
}


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    plug_in(FakeBoard())
    yield
    troth_agent._declared.clear()


def declared(root: Path) -> dict[int, Any] | None:
    """The map as it stands in the claims-set."""
    said = cbor2.loads(finish(board.Board(SETTINGS, str(root)).steps()))
    found: dict[int, Any] | None = said[-80001].get(30)
    return found


def test_the_table_is_that_of_the_cddl() -> None:
    block = CDDL.read_text().split("declared-claims = {")[1].split("\n}")[0]
    rows = re.findall(r"^\s*\? (\d+) => (.*?),\s*; (\w+)", block, re.M)
    kinds = {bool: "bool", int: "uint", list: "names"}
    ours = []
    for label, (name, kind) in enumerate(CLAIMS, 1):
        text = kind[0] if isinstance(kind, list) else kind
        words = tuple(text.split(" ")) if isinstance(text, str) else kinds[text]
        ours.append((label, name, words))
    theirs = []
    for label, kind, name in rows:
        text = CDDL.read_text().split("\nwifi-auth = ")[1].split("\n\n")[0]
        source = text if kind == "wifi-auth" else kind
        theirs.append((int(label), name, tuple(re.findall('"(.*?)"', source)) or kind))
    assert ours == theirs


def test_what_is_not_declared_is_absent(tmp_path: Path) -> None:
    assert declared(tmp_path) is None


def test_everything_can_be_declared_and_is_said(tmp_path: Path) -> None:
    troth_agent.declare(**EVERYTHING)
    said = declared(tmp_path)
    wanted = EVERYTHING | {"update_last_check": 1_789_948_800}  # the day it was
    assert said == {n: wanted[name] for n, (name, _) in enumerate(CLAIMS, 1)}


def test_a_report_with_everything_declared_keeps_within_its_size(tmp_path: Path) -> None:
    from test_agent_attest import FULL, NONCE, PRIVATE, SESSION
    from troth_agent import attest, claims, p256_public

    declare_until_full()
    facts = labelled(FULL | {"declared": dict(troth_agent._declared)})
    key = SoftKey(PRIVATE + p256_public.public_key(PRIVATE), blind=False)
    made = attest.Evidence(claims.claims_set(facts), SESSION, key, NONCE)
    assert 1600 < len(made.bundle()) <= 2048


def declare_until_full() -> None:
    troth_agent.declare(**EVERYTHING)
    names: list[str] = []
    while fits([*names, f"a sensor with so long a name {len(names):02}"]):
        names.append(f"a sensor with so long a name {len(names):02}")


def fits(sensors: list[str]) -> bool:
    try:
        troth_agent.declare(sensors=sensors)
    except Trouble as err:
        if err.code != "declare.size":
            raise
        return False
    return True


def test_later_words_replace_earlier_ones_and_none_takes_them_back(tmp_path: Path) -> None:
    troth_agent.declare(wdt_on=True, sensors=["light"])
    troth_agent.declare(wdt_on=False)
    assert declared(tmp_path) == {26: False, 22: ["light"]}
    troth_agent.declare(sensors=None, wdt_on=None)
    assert declared(tmp_path) is None


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        ({"wdt": True}, "declare.name", "wdt is no claim"),
        ({"app_digest": bytes(32)}, "declare.name", "app_digest"),
        ({"wdt_on": 1}, "declare.value", "wdt_on: want True or False"),
        ({"wdt_on": "yes"}, "declare.value", "wdt_on"),
        ({"lockout_max_tries": True}, "declare.value", "a whole number"),
        ({"lockout_max_tries": -1}, "declare.value", "a whole number"),
        ({"lockout": "maybe"}, "declare.value", "one of none backoff count"),
        ({"lockout": "none backoff"}, "declare.value", "one of"),
        ({"update_auth": "secure-boot"}, "declare.value", "signed-app"),  # fuses say that
        ({"sensors": "light"}, "declare.value", "a list"),
        ({"sensors": ["x"] * 17}, "declare.value", "at most 16"),
        ({"sensors": [""]}, "declare.value", "1 to 32"),
        ({"sensors": ["l\u0131ght"]}, "declare.value", "plain characters"),
        ({"sensors": ["x" * 33]}, "declare.value", "1 to 32"),
        ({"sensors": [1]}, "declare.value", "names"),
        ({"service_auth": ["password", "hope"]}, "declare.value", "some of"),
        ({"listeners": ["80"]}, "declare.value", "80/tcp"),
        ({"listeners": ["65536/tcp"]}, "declare.value", "80/tcp"),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_of_it_is_kept(
    said: dict[str, Any], code: str, words: str, tmp_path: Path
) -> None:
    troth_agent.declare(log_on=True)
    with pytest.raises(Trouble) as refused:
        troth_agent.declare(factory_reset=True, **said)
    assert refused.value.code == code
    assert words in refused.value.text
    assert declared(tmp_path) == {27: True}
