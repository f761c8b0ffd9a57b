"""/troth.json on the board: what is taken, and what is said of what is not."""

import json
from pathlib import Path
from typing import Any

import pytest

import agent_support  # noqa: F401
from troth_agent import Trouble, settings

MAKER = {
    "oemid": "0a1b2c",
    "hwmodel": "therm-v2",
    "swname": "thermostat",
    "swversion": "1.4.0",
    "interval_s": 4,
    "services": {"webrepl": False, "ap": None},
}
LINK = {"url": "https://127.0.0.1:8443", "ca": "/troth-ca.der"}


def test_a_makers_file_is_enough_before_provisioning() -> None:
    said = settings.check(dict(MAKER))
    assert said["oemid"] == b"\x0a\x1b\x2c"
    assert (said["url"], said["ca"], said["scheme"]) == (None, None, None)


def test_provisioning_adds_the_link() -> None:
    assert settings.check(MAKER | LINK)["scheme"] == "https"


def test_a_broker_is_named_by_its_address() -> None:
    said = settings.check(MAKER | LINK | {"url": "mqtts://127.0.0.1:8883", "link": "mqtts"})
    assert said["scheme"] == "mqtts"
    said = settings.check(MAKER | LINK | {"user": "porch", "password": "correct horse"})
    assert (said["user"], said["password"]) == ("porch", "correct horse")


def test_what_is_not_chosen_takes_no_heap() -> None:
    plain = settings.check(MAKER | LINK)
    assert settings.check(MAKER | LINK | {"fresh": "challenge", "spool": False}) == plain
    assert settings.check(MAKER | {"spool": True}).get("spool") is None  # not provisioned yet
    chosen = {"fresh": "epoch", "spool": True, "receipt_key": "0b" * 64}
    said = settings.check(MAKER | LINK | chosen)
    assert said == plain | {"fresh": "epoch", "spool": True, "receipt_key": bytes([11] * 64)}


@pytest.mark.parametrize("oemid", [76543, "0a1b2c", "00" * 16])
def test_an_oemid_is_a_number_or_three_or_sixteen_bytes(oemid: object) -> None:
    said = settings.check(MAKER | {"oemid": oemid})["oemid"]
    assert said == (oemid if isinstance(oemid, int) else bytes.fromhex(str(oemid)))


@pytest.mark.parametrize(
    ("change", "code", "place"),
    [
        ({"oemid": "0a1b"}, "settings.type", "oemid"),
        ({"oemid": "zzzzzz"}, "settings.type", "oemid"),
        ({"oemid": -1}, "settings.type", "oemid"),
        ({"oemid": None}, "settings.type", "oemid"),
        ({"hwmodel": ""}, "settings.range", "hwmodel"),
        ({"hwmodel": "é" * 17}, "settings.range", "hwmodel"),
        ({"swname": 7}, "settings.range", "swname"),
        ({"swversion": "1" * 65}, "settings.range", "swversion"),
        ({"interval_s": 0}, "settings.range", "interval_s"),
        ({"interval_s": True}, "settings.range", "interval_s"),
        ({"interval_s": 1.5}, "settings.range", "interval_s"),
        ({"interval_s": 604801}, "settings.range", "interval_s"),
        ({"url": "http://127.0.0.1", "ca": "/x"}, "settings.range", "url"),
        ({"url": "https://127.0.0.1"}, "settings.range", "ca"),
        ({"ca": "/x"}, "settings.range", "url"),
        ({"url": "https://127.0.0.1", "ca": "x"}, "settings.range", "ca"),
        (LINK | {"link": "mqtts"}, "settings.range", "url"),
        ({"link": "coap"}, "settings.range", "link"),
        ({"fresh": "stale"}, "settings.range", "fresh"),
        ({"spool": 1}, "settings.type", "spool"),
        ({"receipt_key": "12345678"} | LINK | {"spool": True}, "settings.type", "receipt_key"),
        ({"receipt_key": "z" * 128} | LINK | {"spool": True}, "settings.type", "receipt_key"),
        ({"user": ""}, "settings.range", "user"),
        ({"password": "correct horse" * 20}, "settings.range", "password"),
        ({"services": []}, "settings.type", "services"),
        ({"services": {"webrepl": 1}}, "settings.type", "services/webrepl"),
        ({"services": {"ap": 1}}, "settings.type", "services/ap"),
    ],
)
def test_a_wrong_field_is_named_and_its_value_is_not(
    change: dict[str, Any], code: str, place: str
) -> None:
    with pytest.raises(Trouble) as trouble:
        settings.check(MAKER | change)
    assert trouble.value.code == code
    assert f": {place}: " in trouble.value.text
    value = next(iter(change.values()))
    assert not (isinstance(value, str) and len(value) > 3 and value in trouble.value.text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (None, "settings.missing"),
        ("", "settings.json"),
        ("{", "settings.json"),
        ("[]", "settings.type"),
        ("null", "settings.type"),
    ],
)
def test_a_file_that_is_no_settings_is_told_by_code(
    text: str | None, code: str, tmp_path: Path
) -> None:
    if text is not None:
        (tmp_path / "troth.json").write_text(text)
    with pytest.raises(Trouble) as trouble:
        settings.read(str(tmp_path))
    assert trouble.value.code == code


def test_the_file_is_read_from_the_root(tmp_path: Path) -> None:
    (tmp_path / "troth.json").write_text(json.dumps(MAKER | LINK))
    assert settings.read(str(tmp_path))["swname"] == "thermostat"
