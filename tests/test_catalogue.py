"""The duties and regimes that come with Troth: all load, all say what they decide."""

from __future__ import annotations

import random
import typing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from troth.catalogue import bundled, dutyfile, load, run_tests
from troth.catalogue.loader import HERE, Loaded
from troth.core.claims import DeviceClaims
from troth.core.device import Observed, Registration
from troth.core.duties import Duty, Party, Status, Subject
from troth.core.feeds import Feeds
from troth.core.reference import Reference, Statement
from troth.core.verdict import Force, Regime, force, starts
from troth.trouble import Trouble

LOADED: Loaded = load()
DUTIES = LOADED.catalogue.duties
NOT_NAMES = {
    Statement: {"models", "versions", "valid_from", "valid_until", "unsaid"},
    Reference: {"release", "newer_since", "as_shipped"},
    Registration: {
        *("device", "ueid", "lifecycle", "provisioning"),
        *("created", "key_alg", "site", "tags", "traits", "modified"),
    },
    Observed: {"shown_before"},
    DeviceClaims: {"declared"},
}
UNCONFIRMED = {
    *("eu-red-18031", "nl-csr-2017", "eu-nis2", "eu-pld-2024-2853"),
    *("au-rules-2025", "us-ca-sb327", "sg-cls-l1"),
}
TYPES = {str: "string", int: "int", bool: "bool", tuple[str, ...]: "list<string>"}


def test_24_duties_are_the_baseline() -> None:
    assert sum(duty.baseline for duty in DUTIES) == 24


def test_every_in_file_test_passes() -> None:
    assert run_tests(LOADED.files, LOADED.claims) == ()


@pytest.mark.parametrize("duty", DUTIES, ids=lambda duty: duty.id)
def test_every_duty_has_its_words(duty: Duty) -> None:
    assert duty.title
    assert duty.title_nl
    assert duty.title_nl != duty.title
    assert len(duty.rationale) > 40
    assert duty.remedy(duty.party)
    for owed in duty.owed:
        assert any(party is owed.party for party, _ in duty.remedies), owed


def test_a_baseline_duty_asks_no_declaration_and_no_secure_boot() -> None:
    for duty in DUTIES:
        if duty.baseline:
            assert duty.needs == "P0", duty.id
            assert not any(name.startswith("m.") for name in duty.names), duty.id


def test_what_is_the_same_for_all_units_is_not_asked_of_the_unit() -> None:
    for duty in DUTIES:
        if duty.subject is not Subject.UNIT:
            assert not any(name.startswith("d.") for name in duty.names), duty.id


@pytest.mark.parametrize(
    ("prefix", "homes"),
    [
        ("d", [DeviceClaims]),
        ("r", [Reference, Registration]),
        ("m", [Statement]),
        ("v", [Observed, Feeds]),
    ],
)
def test_the_names_are_the_fields_of_the_facts_with_their_types(
    prefix: str, homes: list[type]
) -> None:
    named = {n: c.type for n, c in LOADED.claims.items() if n.startswith(f"{prefix}.")}
    fields = {}
    for home in homes:
        hints = typing.get_type_hints(home)
        for name in hints.keys() - NOT_NAMES.get(home, set()):
            fields[f"{prefix}.{name}"] = _type(hints[name])
    assert named == fields


def _type(hint: object) -> str:
    said = [arm for arm in typing.get_args(hint) if arm is not type(None)] or [hint]
    plain = hint if typing.get_origin(hint) is tuple else said[0]
    return TYPES[typing.cast(type, plain)]


def test_scopes_follow_where_a_value_lives() -> None:
    wanted = {"d": "set", "m": "fleet", "v": "device", "": "clock"}
    for claim in LOADED.claims.values():
        if claim.home == "u":  # model and chip choose the references
            assert claim.scope == ("fleet" if claim.field in ("model", "chip") else "device")
        else:
            assert claim.scope == wanted.get(claim.home, "fleet"), claim.name


def test_makers_law_never_decides_over_an_operator() -> None:
    spoken_to = {"eu-nis2", "nl-csr-2017"}  # who runs a fleet; all else speaks to makers
    for duty in DUTIES:
        for clause in duty.clauses:
            if duty.party is Party.OPERATOR and clause.regime not in spoken_to:
                assert not clause.decides
                assert clause.status is not Status.MANDATORY


def test_what_was_not_confirmed_is_marked_so() -> None:
    for duty in DUTIES:
        for clause in duty.clauses:
            if clause.regime in UNCONFIRMED:
                assert clause.confidence == "low", duty.id


@pytest.mark.parametrize("provision", ["5.3-16", "5.4-2", "5.5-8", "5.12-1", "5.10-1", "5.9-1"])
def test_a_provision_that_no_rule_decides_is_only_supported(provision: str) -> None:
    found = [c for d in DUTIES for c in d.clauses if c.provision == provision]
    assert found
    assert not any(clause.decides for clause in found)


def test_the_digest_names_exactly_this_text(tmp_path: Path) -> None:
    folder = _copy(tmp_path)
    assert load(folder).catalogue.digest == LOADED.catalogue.digest
    claims = folder / "claims.yaml"
    claims.write_text(claims.read_text() + "# one more word\n")
    assert load(folder).catalogue.digest != LOADED.catalogue.digest


def test_what_runs_is_what_was_tested_though_the_tests_are_left_unread() -> None:
    for whole, shipped in zip(DUTIES, bundled().duties, strict=True):
        assert replace(shipped, rule=whole.rule, because=whole.because) == whole
    assert bundled().digest == LOADED.catalogue.digest


# --- what the loader refuses ------------------------------------------------------------------

GOOD = """\
id: demo.duty
title: {en: A duty, nl: Een plicht}
rationale: so that there is one
severity: high
party: maker
subject: unit
needs: P0
baseline: false
ok: '!d.webrepl_on'
because: {met: it is off, not-met: it is on}
remedies: {maker: turn it off}
references:
  - {regime: eu-cra, version: Regulation (EU) 2024/2847, status: mandatory, decides: [I.I.2(j)]SURE}
tests:
  - {given: {d.webrepl_on: false}, expect: met}
  - {given: {d.webrepl_on: true}, expect: not-met}
  - {given: {}, expect: not-shown}
""".replace("SURE", ", confidence: high")


def _copy(tmp_path: Path) -> Path:
    for path in HERE.rglob("*.yaml"):
        target = tmp_path / path.relative_to(HERE)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
    return tmp_path


def _with(tmp_path: Path, text: str) -> Path:
    folder = _copy(tmp_path)
    for path in (folder / "duties").iterdir():
        path.unlink()
    (folder / "duties" / "demo.duty.yaml").write_text(text)
    return folder


def test_the_page_on_writing_duties_names_every_field() -> None:
    page = (HERE / "README.md").read_text()
    for field in dutyfile.FIELDS:
        assert f"`{field}`" in page, field


def test_a_good_duty_loads(tmp_path: Path) -> None:
    assert len(load(_with(tmp_path, GOOD)).catalogue.duties) == 1


REFUSED = {
    "unknown claim": ("!d.webrepl_on'", "!d.webrepl'", "duty.unknown-name", 9),
    "wrong type": ("!d.webrepl_on'", 'd.webrepl_on == "no"\'', "duty.type", 9),
    "not a yes or no": ("'!d.webrepl_on'", "d.hwmodel", "duty.type", 9),
    "a clock that never turns": ("!d.webrepl_on'", "!d.webrepl_on || now > 5'", "duty.field", 1),
    "not an expression": ("!d.webrepl_on'", "!d.webrepl_on &&'", "duty.expression", 9),
    "a function we do not speak": ("'!d.webrepl_on'", "d.jtag.matches('x')", "duty.expression", 9),
    "no party": ("party: maker\n", "", "duty.party", 1),
    "unknown party": ("party: maker\n", "party: shared\n", "duty.party", 5),
    "no subject": ("subject: unit\n", "", "duty.subject", 1),
    "unknown subject": ("subject: unit\n", "subject: fleet\n", "duty.subject", 6),
    "no tests": (GOOD[GOOD.index("tests:") :], "", "duty.tests", 1),
    "a test kind absent": ("  - {given: {}, expect: not-shown}\n", "", "duty.tests", 14),
    "a test of an unknown name": ("{d.webrepl_on: true}", "{d.web: true}", "duty.unknown-name", 16),
    "a test of a wrong type": ("{d.webrepl_on: true}", "{d.webrepl_on: 1}", "duty.type", 16),
    "unknown severity": ("severity: high", "severity: dire", "duty.field", 4),
    "unknown field": ("needs: P0", "needs: P0\nhow: attested", "duty.field", 8),
    "given twice": ("needs: P0", "needs: P0\nneeds: P1", "duty.file", 8),
    "another id": ("id: demo.duty", "id: demo.other", "duty.field", 1),
    "no Dutch title": (", nl: Een plicht", "", "duty.field", 2),
    "an unknown name in a sentence": ("it is on", "'{d.web} on'", "duty.unknown-name", 10),
    "no sentence": ("{met: it is off, ", "{", "duty.field", 10),
    "an unknown party in a remedy": ("{maker: turn", "{owner: turn", "duty.party", 11),
    "an unknown regime": ("regime: eu-cra", "regime: eu-xyz", "duty.reference", 13),
    "another version": ("2024/2847, status", "2024/2848, status", "duty.reference", 13),
    "a line without provision": ("decides: [I.I.2(j)]", "note: x", "duty.reference", 13),
    "a confidence unsaid": (", confidence: high", "", "duty.reference", 13),
    "a day that is none": ("confidence", "since: soon, confidence", "duty.reference", 13),
    "before its regime": ("confidence", "since: 2025-01-01, confidence", "duty.reference", 13),
    "over before it counts": (
        *("confidence", "since: 2028-01-01, until: 2027-01-01, confidence"),
        *("duty.reference", 13),
    ),
    "a provision that is not there": ("[I.I.2(j)]", "[I.I.2(n)]", "duty.reference", 13),
    "a number for a provision": ("[I.I.2(j)]", "[12]", "duty.reference", 13),
    "a condition unsaid": ("status: mandatory", "status: conditional", "duty.reference", 13),
    "maker's law over an operator": ("party: maker\n", "party: operator\n", "duty.makers-law", 13),
    "an unknown party word": (
        "subject: unit",
        "owed:\n  - {when: always, party: maker}\nsubject: unit",
        "duty.owed",
        7,
    ),
    "an alias": ("rationale: so", "rationale: *r\nx: so", "duty.file", 3),
    "a list of numbers": ("{d.webrepl_on: true}", "{r.anchors: [1]}", "duty.type", 16),
    "a number like a clock": ("{d.webrepl_on: true}", "{now: 1:30}", "duty.file", 16),
    "not yaml": ("needs: P0", "needs: [P0", "duty.file", 8),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_the_loader_refuses_with_code_file_and_line(
    tmp_path: Path, case: tuple[str, str, str, int]
) -> None:
    old, new, code, line = case
    assert old in GOOD
    with pytest.raises(Trouble) as caught:
        load(_with(tmp_path, GOOD.replace(old, new)))
    assert caught.value.code == code
    assert caught.value.what.startswith(f"demo.duty.yaml:{line}: ")
    assert caught.value.fix


def test_a_reference_may_count_for_less_long_than_its_regime(tmp_path: Path) -> None:
    days = "since: 2028-03-01, until: 2030-01-01, confidence"
    catalogue = load(_with(tmp_path, GOOD.replace("confidence", days))).catalogue
    cra = next(regime for regime in catalogue.regimes if regime.id == "eu-cra")
    (line,) = cra.lines
    day, end = (int(datetime(y, m, 1, tzinfo=UTC).timestamp()) for y, m in ((2028, 3), (2030, 1)))
    assert (line.since, line.until) == (day, end)
    unit = Registration(
        *("d", "02", "lamp", "esp32c3"),
        market="eu",
        product_class="consumer",
        own_use=False,
        placed_on_market=day,
    )
    forces = [force(line, cra, unit, at) for at in (day - 1, day, end - 1, end)]
    assert forces == [Force.TO_COME, Force.BINDS, Force.BINDS, Force.ELSEWHERE]


def test_every_reference_says_its_status_condition_confidence_and_day() -> None:
    """What the schema of a duty promises, over the files as they are."""
    for path in sorted((HERE / "duties").glob("*.yaml")):
        for row in yaml.safe_load(path.read_text(encoding="utf-8")).get("references", []):
            where = f"{path.name}: {row['regime']}"
            assert row["status"] in tuple(Status), where
            assert row["confidence"] in ("high", "low"), where
            assert row["status"] != "conditional" or row["condition"], where
            assert row.get("decides") or row.get("supports"), where
    for regime in LOADED.catalogue.regimes:
        for line in regime.lines if regime.binding and regime.id != "troth-baseline" else ():
            assert starts(line, regime) is not None, (regime.id, line.clause.provision)


def test_maker_s_law_may_inform_an_operator(tmp_path: Path) -> None:
    text = GOOD.replace("party: maker\n", "party: operator\n").replace("decides:", "supports:")
    text = text.replace("status: mandatory", "status: informative")
    assert load(_with(tmp_path, text)).catalogue.duties[0].party is Party.OPERATOR


def test_a_failing_in_file_test_is_reported_with_its_place(tmp_path: Path) -> None:
    loaded = load(_with(tmp_path, GOOD.replace("'!d.webrepl_on'", "d.webrepl_on")))
    failures = run_tests(loaded.files, loaded.claims)
    assert [(f.place, f.expect, f.got) for f in failures] == [
        ("demo.duty.yaml:15", "met", "not-met"),
        ("demo.duty.yaml:16", "not-met", "met"),
    ]


@pytest.mark.parametrize("raw", [b"", b"- a list", b"\xff\xfe", b"a: b: c", b"[1", b"? x\n: y\nz"])
def test_a_file_that_is_no_duty_is_refused_not_crashed_on(tmp_path: Path, raw: bytes) -> None:
    folder = _copy(tmp_path)
    (folder / "duties" / "demo.duty.yaml").write_bytes(raw)
    with pytest.raises(Trouble):
        load(folder)


def test_a_catalogue_without_duties_is_refused(tmp_path: Path) -> None:
    folder = _copy(tmp_path)
    for path in (folder / "duties").iterdir():
        path.unlink()
    with pytest.raises(Trouble, match="no files"):
        load(folder)


def test_a_duty_file_of_noise_loads_or_is_refused_and_nothing_else(tmp_path: Path) -> None:
    rng = random.Random(43)
    path = _with(tmp_path, GOOD) / "duties" / "demo.duty.yaml"
    good = GOOD.encode()
    codes = set()
    for _ in range(100):
        raw = bytearray(good)
        for _ in range(rng.randrange(1, 5)):
            at = rng.randrange(len(raw))
            cut = slice(at, at + rng.randrange(3))
            raw[cut] = bytes(rng.choices(b"\n \"'{}[]:,&*!|>-?d.0\x00\xff", k=rng.randrange(4)))
        path.write_bytes(bytes(raw))
        try:
            load(tmp_path)
        except Trouble as err:
            codes.add(err.code.partition(".")[0])
    assert codes == {"duty"}


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("in_force: 2024-04-29", "in_force: soon", 8),
        ("markets: [uk]", "markets: uk", 6),
        ("binding: true", "bind: true", 5),
        ("id: uk-psti", "id: uk", 1),
        ("law: ", "law: ''\n# ", 1),
    ],
)
def test_a_regime_file_is_refused_with_its_line(
    tmp_path: Path, old: str, new: str, line: int
) -> None:
    path = _copy(tmp_path) / "regimes" / "uk-psti.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(Trouble) as caught:
        load(tmp_path)
    assert caught.value.code == "regime.field"
    assert caught.value.what.startswith(f"uk-psti.yaml:{line}: ")


# --- provisions -------------------------------------------------------------------------------

PROVISIONS = LOADED.provisions


def test_303_645_has_78_provisions_36_of_them_mandatory() -> None:
    marks = PROVISIONS["etsi-303645-v313"].marks
    assert len(marks) == 78
    assert sum(mark.startswith("M") for mark in marks.values()) == 36


def test_annex_i_of_the_cra_is_whole() -> None:
    marks = PROVISIONS["eu-cra"].marks
    assert {f"I.I.2({letter})" for letter in "abcdefghijklm"} <= marks.keys()
    assert {f"I.II.{number}" for number in range(1, 9)} <= marks.keys()


@pytest.mark.parametrize("regime", LOADED.catalogue.regimes, ids=lambda regime: regime.id)
def test_every_provision_is_decided_supported_or_explained(regime: Regime) -> None:
    if regime.own_use:
        return  # the baseline has no provisions
    listed = PROVISIONS[regime.id]
    used = {line.clause.provision for line in regime.lines}
    assert used | listed.uncovered.keys() == listed.marks.keys()
    assert not used & listed.uncovered.keys()


def test_a_reference_has_the_weight_that_the_standard_gives_it(tmp_path: Path) -> None:
    for provision, status, good in (("5.7-1", "mandatory", False), ("5.2-1", "mandatory", True)):
        line = f"etsi-303645-v313, version: V3.1.3, status: {status}, decides: [{provision}]"
        text = GOOD[: GOOD.index("eu-cra")] + line + GOOD[GOOD.index(", confidence") :]
        path = _with(tmp_path, text)
        if good:
            load(path)
        else:
            with pytest.raises(Trouble, match="is recommended in etsi-303645-v313"):
                load(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("complete: true", "complete: yes please"),
        ("V3.1.3", "V2.1.1"),
        ("  5.1-1: M F(a)", "  5.1-1: must"),
        ("ids: [5.6-6", "ids: [5.6-99"),
        ("scope:", "note:"),
        ("regime: etsi-303645-v313", "regime: etsi"),
    ],
)
def test_a_list_of_provisions_is_refused_with_its_line(tmp_path: Path, old: str, new: str) -> None:
    path = _copy(tmp_path) / "provisions" / "etsi-303645-v313.yaml"
    before, found, after = path.read_text().partition(old)
    assert found
    path.write_text(before + new + after)
    with pytest.raises(Trouble) as caught:
        load(tmp_path)
    assert caught.value.code == "regime.provisions"
    assert caught.value.what.startswith(f"etsi-303645-v313.yaml:{before.count(chr(10)) + 1}: ")


def test_a_claim_name_cannot_smuggle_code(tmp_path: Path) -> None:
    path = _copy(tmp_path) / "claims.yaml"
    path.write_text(path.read_text() + '"d.x;1": {type: bool, scope: set, means: trick}\n')
    with pytest.raises(Trouble) as caught:
        load(tmp_path)
    assert caught.value.code == "duty.claims"
