"""Before shipping: what stops a release in a market, who could show the rest, and the papers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agent_support import app_image
from house import new_store
from troth.cli import root
from troth.factory.home import make_home
from troth.factory.image import FROZEN_AGENT
from troth.trouble import Trouble

IMAGE = app_image("esp32c3", FROZEN_AGENT + b"\0MicroPython v1.29.0 on", secure_version=2)
SETTINGS = {
    "oemid": "0a1b2c",
    "hwmodel": "lamp-v1",
    "swname": "lamp",
    "swversion": "1.0.0",
    "interval_s": 10,
    "services": {"webrepl": False, "ap": None},
}
DECLARED = """\
models = ["lamp-v1"]
markets = ["eu", "uk"]
support_url = "https://example.org/lamp-v1"
support_end = 2033-12-31
expected_use_years = 5
vdp_url = "https://example.org/security"
vdp_contact = "security@example.org"
vdp_ack_days = 5
vdp_status_days = 14
statement_ref = "DoC-1"
statement_models = ["lamp-v1"]
password_kind = "none"
maker_name = "Lamps Ltd"
maker_address = "1 Lamp Street"
product_type = "lamp"
signatory = "A. Maker"
signatory_role = "director"
place = "London"
"""


@pytest.fixture
def build(tmp_path: Path) -> Path:
    make_home(tmp_path)
    new_store(tmp_path).close()
    product = tmp_path / "product"
    product.mkdir()
    (product / "troth.json").write_text(json.dumps(SETTINGS))
    (product / "main.py").write_text("import troth_agent\ntroth_agent.run()\n")
    (tmp_path / "app.bin").write_bytes(IMAGE)
    (tmp_path / "d.toml").write_text(DECLARED)
    return tmp_path


def troth(build: Path, *words: str, code: int | None = 0) -> Any:
    done = CliRunner().invoke(root, ["--home", str(build), "--json", *words], standalone_mode=False)
    if isinstance(done.exception, Trouble):
        return done.exception.code
    assert done.exception is None, done.exception
    assert code is None or (done.return_value or 0) == code
    return json.loads(done.stdout)


def check(build: Path, *words: str, code: int | None = None) -> dict[str, dict[str, Any]]:
    given = ("--files", f"{build}/product", "--statement", f"{build}/d.toml")
    said = troth(build, "release", "check", f"{build}/app.bin", *given, *words, code=code)
    if isinstance(said, str):
        return {"code": {"is": said}}
    return {each["market"]: each for each in said["markets"]} | {"all": said}


def ids(rows: list[dict[str, Any]]) -> set[str]:
    return {row["duty"] for row in rows}


def test_a_sound_release_is_stopped_by_nothing_and_the_rest_is_a_boards_to_show(
    build: Path,
) -> None:
    found = check(build, "--market", "uk", code=0)["uk"]
    assert found["stops"] == []
    assert {"vuln.policy", "support.published", "doc.statement"} <= set(found["met"])
    assert "ident.unique-id" in ids(found["boards_show"])


def test_without_a_declaration_the_keys_that_would_show_it_are_named(build: Path) -> None:
    (build / "d.toml").write_text("")
    rows = check(build, "--market", "uk", code=5)["uk"]["show_today"]
    needs = {row["duty"]: row["shown_by"] for row in rows}
    assert needs["support.published"] == ["declare support_end", "declare support_url"]


@pytest.mark.parametrize(
    ("bend", "market", "duty"),
    [
        pytest.param("password", "uk", "auth.no-default-password", id="password"),
        pytest.param("webrepl", "eu", "surface.no-webrepl", id="webrepl"),
        pytest.param("market", "uk", "cfg.market", id="market"),
    ],
)
def test_what_would_stop_it_is_told_for_its_market(
    build: Path, bend: str, market: str, duty: str
) -> None:
    if bend == "password":
        text = DECLARED.replace('password_kind = "none"', 'password_kind = "default"')
        (build / "d.toml").write_text(text)
    if bend == "market":
        (build / "d.toml").write_text(DECLARED.replace('["eu", "uk"]', '["eu"]'))
    if bend == "webrepl":
        said = SETTINGS | {"services": {"webrepl": True, "ap": None}}
        (build / "product/troth.json").write_text(json.dumps(said))
    found = check(build, "--market", market)[market]
    if duty not in ids(found["stops"]):  # a duty that no binding line of this market decides
        assert bend == "market"
        return
    row = next(each for each in found["stops"] if each["duty"] == duty)
    assert row["remedy"]
    assert check(build, "--market", market)["all"]["exit"] == 3


def test_a_finding_names_the_regimes_that_bind_that_day(build: Path) -> None:
    (build / "d.toml").write_text(DECLARED.replace('kind = "none"', 'kind = "default"'))
    named = []
    for day in ("2026-11-23", "2028-01-01"):
        rows = check(build, "--market", "eu", "--on", day)["eu"]["stops"]
        named += [row["regimes"] for row in rows if row["duty"] == "auth.no-default-password"]
    assert named == [["eu-red-18031"], ["eu-cra"]]


def test_a_support_that_is_shorter_than_published_stops_it(build: Path) -> None:
    add = ("--files", f"{build}/product", "--version", "0.9.0", "--statement", f"{build}/d.toml")
    troth(build, "release", "add", f"{build}/app.bin", *add)
    (build / "d.toml").write_text(DECLARED.replace("2033", "2032"))
    assert ids(check(build, "--market", "uk", code=3)["uk"]["stops"]) == {"support.not-shortened"}


def test_the_law_of_a_later_day_is_the_law_of_that_day(build: Path) -> None:
    today = check(build, "--market", "eu")["eu"]
    later = check(build, "--market", "eu", "--on", "2028-01-10")["eu"]
    every = ("stops", "show_today", "boards_show")
    judged = [set(each["met"]).union(*(ids(each[key]) for key in every)) for each in (today, later)]
    assert "vuln.policy" not in judged[0]
    assert "vuln.policy" in judged[1]


def test_the_component_list_it_begins_is_one_that_covers_the_release(build: Path) -> None:
    target = build / "lamp.cdx.json"
    words = ("--files", f"{build}/product", "-o", str(target))
    troth(build, "release", "sbom", f"{build}/app.bin", *words)
    listed = json.loads(target.read_text())
    assert {part["name"] for part in listed["components"]} == {"/main.py", "micropython"}
    version = ("--version", "1.0.0", "--statement", f"{build}/d.toml")
    product = ("--files", f"{build}/product")
    troth(build, "release", "add", f"{build}/app.bin", *product, *version)
    kept = troth(build, "feed", "add", "sbom", str(target), "--release", "lamp-v1@1.0.0")
    assert kept["missing"] == []
    assert check(build, "--sbom", str(target), "--draft", f"{build}/papers")["all"]["drafts"]
    assert "1 component" in (build / "papers/eu-technical-documentation.md").read_text()


def test_the_component_list_is_valid_by_its_own_schema(build: Path) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    target = build / "lamp.cdx.json"
    words = ("--files", f"{build}/product", "-o", str(target))
    troth(build, "release", "sbom", f"{build}/app.bin", *words)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(target.read_text()) is None


def test_the_drafts_hold_what_is_known_and_mark_what_is_not(build: Path) -> None:
    found = check(build, "--draft", f"{build}/papers")["all"]["drafts"]
    gaps = {Path(each["file"]).name: each["gaps"] for each in found}
    uk = (build / "papers/uk-statement-of-compliance.md").read_text()
    assert "Name: Lamps Ltd" in uk
    assert "until 2033-12-31" in uk
    assert "GAP (product_batches)" in uk
    assert gaps["uk-statement-of-compliance.md"] == uk.count("GAP") - 1
    eu = (build / "papers/eu-technical-documentation.md").read_text()
    assert [line[3] for line in eu.splitlines() if line.startswith("## ")] == list("12345678")
    assert "| I.II.5 | vuln.policy | met, as far as it is known |" in eu


def test_it_needs_no_home(build: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    bare = tmp_path_factory.mktemp("bare")
    words = ("--files", f"{build}/product", "--statement", f"{build}/d.toml", "--market", "uk")
    said = troth(bare, "release", "check", f"{build}/app.bin", *words)
    assert said["markets"][0]["stops"] == []
    assert list(bare.iterdir()) == []


def test_a_market_that_nobody_knows_is_refused(build: Path) -> None:
    assert check(build, "--market", "uk,mars")["code"] == {"is": "release.market"}
