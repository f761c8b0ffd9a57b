"""The maker's declaration: of which versions, for how long, under whose signature."""

from __future__ import annotations

import json
import tomllib
from dataclasses import fields, replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from house import ear_key, new_store
from standing import DAY, NOW, Standing, release
from troth.core.declared import speaking
from troth.core.duties import Outcome, Reason
from troth.core.reference import Statement
from troth.core.verdict import judge
from troth.core.versions import order, within
from troth.factory import declaration
from troth.factory.form import KEYS, Key, skeleton
from troth.factory.signed import sign_record
from troth.factory.statement import from_map, read_statement, to_map
from troth.factory.values import Wrong
from troth.fleet.forecast import Cause, forecast
from troth.trouble import Trouble

KEY = ear_key()
SAID = Statement(models=("therm-v2",), vdp_url="https://maker.example/flaws")


@pytest.mark.parametrize(
    ("smaller", "larger"),
    [
        ("1.9", "1.10"),
        ("1.0.0-rc1", "1.0.0"),
        ("1.0.0-alpha", "1.0.0-beta"),
        ("1.0.0-beta.2", "1.0.0-beta.11"),
        ("v1.2", "1.2.1"),
        ("", "0.1"),
    ],
)
def test_versions_are_ordered_as_people_count(smaller: str, larger: str) -> None:
    assert order(smaller) < order(larger)


def test_trailing_zeros_and_build_marks_make_no_other_version() -> None:
    assert order("1.4") == order("1.4.0+7") == order("v1.4.0.0")


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_two_texts_have_an_order(one: str, other: str) -> None:
    assert (order(one) < order(other)) + (order(one) > order(other)) + (
        order(one) == order(other)
    ) == 1


@pytest.mark.parametrize(
    ("version", "spread", "lies_in"),
    [
        ("1.4.0", ">=1.0 <2.0", True),
        ("2.0.0-rc1", ">=1.0 <2.0", True),
        ("2.0", ">=1.0, <2", False),
        ("1.4", "=1.4.0", True),
        ("0.9", ">1", False),
    ],
)
def test_a_range_holds_a_version_or_not(version: str, spread: str, lies_in: bool) -> None:
    assert within(version, spread) is lies_in


@pytest.mark.parametrize("spread", ["", "1.0", ">=1.0 and <2", "~1.0", ">= <2"])
def test_what_is_no_range_is_refused(spread: str) -> None:
    with pytest.raises(ValueError, match="bounds"):
        within("1.0", spread)


def test_the_last_declaration_takes_the_place_of_those_before() -> None:
    first, second = Statement(vdp_url="https://a.example/"), Statement(vdp_ack_days=5)
    assert speaking((first, second), "1.0", NOW).statement is second


def test_what_expired_says_nothing_and_brings_nothing_older_back() -> None:
    old, last = Statement(vdp_ack_days=9), Statement(vdp_ack_days=5, valid_until=NOW)
    before, after = (speaking((old, last), None, at) for at in (NOW - 1, NOW))
    assert before.statement is last
    assert before.until == NOW
    assert after.statement == Statement(unsaid="the maker's declaration ended on 2026-11-23")
    assert (after.since, after.until) == (NOW, None)


def test_before_it_begins_the_one_before_it_speaks() -> None:
    old, coming = Statement(vdp_ack_days=9), Statement(vdp_ack_days=5, valid_from=NOW)
    assert speaking((old, coming), None, NOW - 1) == (old, 0, NOW)
    assert speaking((old, coming), None, NOW).statement is coming
    assert "begins on 2026-11-23" in speaking((coming,), None, NOW - 1).statement.unsaid


@pytest.mark.parametrize("version", ["2.0", None])
def test_for_another_version_it_says_nothing(version: str | None) -> None:
    said = speaking((Statement(versions="<2", vdp_ack_days=5),), version, NOW).statement
    assert said.vdp_ack_days is None
    assert "for versions <2" in said.unsaid


# --- in the fleet -------------------------------------------------------------------------


@pytest.fixture
def fleet(tmp_path: Path) -> Standing:
    fleet = Standing(tmp_path)
    fleet.policy = replace(fleet.policy, max_evidence_age=90 * DAY)
    fleet.context = type(fleet.context)(fleet.store, fleet.policy)
    fleet.add_release(release("therm-v2", "esp32c3", "1.4.0", days_ago=45))
    fleet.enrol("therm-01", "therm-v2", "esp32c3", "1.4.0")
    fleet.report("therm-01")
    return fleet


def keep(fleet: Standing, said: Statement) -> None:
    record = declaration.sign(said, KEY, at=NOW)
    declaration.keep(fleet.store, record, KEY.public_key(), at=NOW)


def said_of(fleet: Standing, duty: str, now: int = NOW):
    fleet.context.refresh()
    facts = fleet.context.standing_facts("d01", now=now)
    one, two = judge(facts, fleet.catalogue), fleet.judge.judge(facts)
    assert one.until == two.until
    found = [each for v in (one, two) for each in v.appraisals if each.duty == duty]
    assert found[0].outcome is found[1].outcome
    return found[1]


def test_what_a_declaration_leaves_out_is_not_declared_any_more(fleet: Standing) -> None:
    assert said_of(fleet, "vuln.policy").outcome is Outcome.MET
    keep(fleet, SAID)
    now = said_of(fleet, "vuln.policy")
    assert (now.outcome, now.reason) == (Outcome.NOT_SHOWN, Reason.UNDECLARED)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"valid_until": NOW - 1}, "the maker's declaration ended on 2026-11-23"),
        ({"versions": ">=2.0"}, "the maker's declaration is for versions >=2.0"),
    ],
    ids=["expired", "other-version"],
)
def test_no_pass_and_no_breach_comes_of_one_that_does_not_hold(
    tmp_path: Path, changes: dict[str, object], why: str
) -> None:
    fleet = Standing(tmp_path)
    plain = release("therm-v2", "esp32c3", "1.4.0", days_ago=45, statement=None)
    fleet.add_release(plain)
    fleet.enrol("therm-01", "therm-v2", "esp32c3", "1.4.0")
    fleet.report("therm-01")
    keep(fleet, replace(SAID, vdp_url="https://maker.example/", password_kind="default", **changes))
    for duty in ("vuln.policy", "auth.no-default-password"):
        found = said_of(fleet, duty)
        assert (found.outcome, found.reason) == (Outcome.NOT_SHOWN, Reason.UNDECLARED)
        assert found.because.startswith(why)


def test_one_for_another_model_says_nothing_of_this_one(fleet: Standing) -> None:
    keep(fleet, replace(SAID, models=("cam-s3",), password_kind="default"))
    assert said_of(fleet, "auth.no-default-password").outcome is Outcome.MET


def test_its_end_turns_answers_by_the_clock_alone_and_is_forecast(fleet: Standing) -> None:
    full = replace(fleet.store.statement("therm-v2"), models=("therm-v2",))
    keep(fleet, replace(full, valid_until=NOW + 10 * DAY))
    fleet.advance()
    span = {"now": NOW, "until": NOW + 20 * DAY, "regime": "eu-cra"}
    told = forecast(fleet.store, fleet.policy, fleet.catalogue, **span)
    turns = {turn.duty.id: turn for turn in told.turns if turn.cause is Cause.DECLARATION}
    assert turns["support.published"].at == NOW + 10 * DAY
    assert "ended on 2026-12-03" in turns["support.published"].why
    assert fleet.store.due(NOW + 10 * DAY)
    fleet.advance(NOW + 10 * DAY)
    rows = [row for row in fleet.store.all_intervals() if row.to is None]
    said = {row.appraisal.duty: row.appraisal.outcome for row in rows if row.subject == "therm-v2"}
    assert said["support.published"] is Outcome.NOT_SHOWN


def test_support_of_other_versions_is_no_promise_for_this_one(fleet: Standing) -> None:
    said = replace(fleet.store.statement("therm-v2"), models=("therm-v2",))
    keep(fleet, replace(said, versions="<1.0", support_end=said.support_end + 900 * DAY))
    assert said_of(fleet, "support.not-shortened").outcome is Outcome.MET
    keep(fleet, replace(said, versions=">=1.0", support_end=said.support_end - 90 * DAY))
    assert said_of(fleet, "support.not-shortened").outcome is Outcome.NOT_MET


# --- the file and the record ---------------------------------------------------------------


def test_the_skeleton_holds_every_key_and_each_example_is_one_that_may_be_said(
    tmp_path: Path,
) -> None:
    lines = [line.removeprefix("# ") for line in skeleton("lamp-v1") if " = " in line]
    path = tmp_path / "d.toml"
    path.write_text("\n".join(lines))
    said = read_statement(path)
    assert set(tomllib.loads(path.read_text())) == {k.name for s in KEYS.values() for k in s}
    assert from_map(to_map(said)) == said
    unasked = {field.name for field in fields(Statement) if getattr(said, field.name) is None}
    assert unasked == set()
    path.write_text("\n".join(skeleton("lamp-v1")))
    assert read_statement(path) == Statement(models=("lamp-v1",))


@pytest.mark.parametrize(
    ("line", "code"),
    [
        pytest.param('versions = "1.0"', "statement.range", id="no-bounds"),
        pytest.param('guide_urls = ["http://x"]', "statement.range", id="no-https"),
        pytest.param("declared_sensors = [1]", "statement.type", id="number-in-list"),
        pytest.param('risk_date = "2026-11-01"', "statement.type", id="quoted-day"),
        pytest.param('place = "a\\u202eb"', "statement.range", id="direction-mark"),
        pytest.param("markets = []\nmarkets = []", "statement.syntax", id="twice"),
        pytest.param('default_profile_digest = "AB"', "statement.range", id="no-digest"),
        pytest.param("valid_from=2027-01-01\nvalid_until=2026-01-01", "statement.range", id="span"),
        pytest.param("#" * 70_000, "statement.size", id="size"),
    ],
)
def test_a_mistake_is_refused(tmp_path: Path, line: str, code: str) -> None:
    path = tmp_path / "d.toml"
    path.write_text(line + "\n")
    with pytest.raises(Trouble) as caught:
        read_statement(path)
    assert caught.value.code == code


_ANY = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.dates(),
    st.datetimes(),
    st.lists(st.text(max_size=5) | st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@settings(max_examples=40)
@given(st.sampled_from([key for section in KEYS.values() for key in section]), _ANY)
def test_any_value_is_read_as_its_field_wants_it_or_refused(key: Key, value: object) -> None:
    try:
        read = key.read(value)
    except Wrong:
        return
    said = {key.field or key.name: list(read) if isinstance(read, tuple) else read}
    assert getattr(from_map(said), key.field or key.name) == read


def test_without_a_model_nothing_is_signed() -> None:
    with pytest.raises(Trouble) as caught:
        declaration.sign(Statement(vdp_ack_days=5), KEY, at=NOW)
    assert caught.value.code == "declaration.models"


@pytest.mark.parametrize(
    "said",
    [
        {"at": NOW},
        {"at": NOW, "said": {}},
        {"at": "now", "said": {"models": ["m"]}},
        {"at": NOW, "said": {"models": ["m"], "vdp_ack_days": "five"}},
        {"at": NOW, "said": {"models": ["m"], "versions": "all"}},
        {"at": NOW, "said": {"models": [1]}},
    ],
)
def test_a_signature_over_something_else_makes_no_declaration(said: dict[str, object]) -> None:
    with pytest.raises(Trouble) as caught:
        declaration.read(sign_record(said, "declaration", KEY), KEY.public_key())
    assert caught.value.code == "declaration.content"


@settings(max_examples=40)
@given(st.binary(max_size=200), st.integers(0, 400))
def test_no_bytes_but_the_signed_ones_are_a_declaration(raw: bytes, place: int) -> None:
    record = declaration.sign(SAID, KEY, at=NOW)
    changed = record[: place % len(record)] + b"\xff" + record[place % len(record) + 1 :]
    for each in (raw, changed):
        if each != record:
            with pytest.raises(Trouble, match="declaration"):
                declaration.read(each, KEY.public_key())


# --- the command line -----------------------------------------------------------------------


def run(home: Path, *words: str, code: int = 0) -> dict[str, object]:
    from troth.cli import root

    done = CliRunner().invoke(
        root, ["--home", str(home), "--json", "declaration", *words], standalone_mode=False
    )
    if code:
        assert isinstance(done.exception, Trouble) or done.return_value == code, done.output
        return {"code": getattr(done.exception, "code", "")}
    assert done.exception is None, done.exception
    return json.loads(done.stdout)


def test_the_walk_from_an_empty_file_to_a_stored_declaration(tmp_path: Path) -> None:
    from troth.factory.home import make_home

    make_home(tmp_path)
    new_store(tmp_path).close()
    file, record = tmp_path / "d.toml", tmp_path / "d.cbor"
    run(tmp_path, "new", str(file), "--model", "lamp-v1")
    assert run(tmp_path, "new", str(file), "--model", "x", code=2) == {"code": "declaration.exists"}
    file.write_text(file.read_text().replace("# vdp_ack_days", "vdp_ack_days"))
    assert run(tmp_path, "add", str(file), code=2) == {"code": "declaration.unsigned"}
    signed = run(tmp_path, "sign", str(file))
    assert signed["said"] == {"models": ["lamp-v1"], "vdp_ack_days": 5}
    assert run(tmp_path, "verify", str(record))["status"] == "in force"
    pem = tmp_path / "maker.pem"
    pem.write_bytes((tmp_path / "certs/dev/release.pub").read_bytes())
    assert run(tmp_path, "verify", str(record), "--key", str(pem))["id"] == signed["id"]
    pem.write_bytes((tmp_path / "certs/dev/baseline.pub").read_bytes())
    other = run(tmp_path, "verify", str(record), "--key", str(pem), code=2)
    assert other == {"code": "declaration.signature"}
    run(tmp_path, "add", str(record))
    run(tmp_path, "add", str(record))
    rows = run(tmp_path, "list")["declarations"]
    assert [row["model"] for row in rows] == ["lamp-v1"]


def test_one_that_has_expired_is_genuine_and_says_so(tmp_path: Path) -> None:
    from troth.factory.home import make_home

    make_home(tmp_path)
    file = tmp_path / "d.toml"
    file.write_text('models = ["lamp-v1"]\nvalid_until = 2020-01-01\n')
    run(tmp_path, "sign", str(file))
    run(tmp_path, "verify", str(tmp_path / "d.cbor"), code=5)
