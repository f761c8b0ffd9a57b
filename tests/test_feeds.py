"""Feeds: read with suspicion, matched by component and version, and never silent good news."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from standing import DAY, NOW, Standing, digest_of, release
from troth.core import cvss4, flaws
from troth.core.cvss import base_score
from troth.core.duties import Outcome, Reason
from troth.core.flaws import Affected, Build, Component, Flaw, Known, Span, Word
from troth.core.incident import Incident, Kind
from troth.core.verdict import judge
from troth.factory.manifest import manifest_of
from troth.feeds import contact, csaf, intake, kev, lifecycle, osv, sbom
from troth.feeds.reading import MOST_BYTES, Node, package, package_of, read_json
from troth.fleet.forecast import Cause, forecast
from troth.fleet.words import iso
from troth.store import IncidentRow
from troth.trouble import Trouble

MPY = "pkg:github/micropython/micropython"
GRAVE = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"
METRICS = {  # of CVSS 4.0, each value worse than the next
    **{"AV": "NALP", "AC": "LH", "AT": "NP", "PR": "NLH", "UI": "NPA"},
    **dict.fromkeys(("VC", "VI", "VA", "SC", "SI", "SA"), "HLN"),
}
HIGH = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
FILES = {"/main.py": digest_of("main"), "/lib/lamp.py": digest_of("lamp")}


def osv_record(ident: str = "CVE-2026-7", *, fixed: str = "1.30.0", **changes: Any) -> dict:
    said = {
        "schema_version": "1.6.7",
        "id": ident,
        "modified": iso(NOW - DAY),
        "affected": [
            {
                "package": {"ecosystem": "GitHub", "name": "micropython", "purl": MPY},
                "ranges": [
                    {"type": "SEMVER", "events": [{"introduced": "1.20.0"}, {"fixed": fixed}]}
                ],
            }
        ],
        "severity": [{"type": "CVSS_V3", "score": HIGH}],
    }
    return said | changes


def vex(status: str = "known_not_affected", *, at: int = NOW - DAY, version: str = "1.4.0") -> dict:
    return {
        "document": {
            "category": "csaf_vex",
            "csaf_version": "2.0",
            "title": "t",
            "tracking": {"id": "V-1", "status": "final", "current_release_date": iso(at)},
        },
        "product_tree": {
            "branches": [
                {
                    "category": "vendor",
                    "name": "Maker",
                    "branches": [
                        {
                            "category": "product_name",
                            "name": "therm-v2",
                            "branches": [
                                {
                                    "category": "product_version",
                                    "name": version,
                                    "product": {"product_id": "P1", "name": "therm-v2 1.4.0"},
                                }
                            ],
                        }
                    ],
                }
            ]
        },
        "vulnerabilities": [{"cve": "CVE-2026-7", "product_status": {status: ["P1"]}}],
    }


def component_list(app: str, version: str = "1.29.0", **changes: Any) -> dict:
    hashes = [{"alg": "SHA-256", "content": app}]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": iso(NOW - 40 * DAY),
            "component": {"type": "firmware", "name": "therm-v2", "hashes": hashes},
        },
        "components": [
            {"type": "library", "name": "mpy", "version": version, "purl": f"{MPY}@v{version}"},
            *(
                {
                    "type": "file",
                    "name": path,
                    "hashes": [{"alg": "SHA-256", "content": digest.hex()}],
                }
                for path, digest in FILES.items()
            ),
        ],
        **changes,
    }


def lifecycles(**release: Any) -> dict:
    cycle = {"name": "1.29", "isEol": False, "eolFrom": iso(NOW + DAY)[:10]} | release
    identifiers = [{"type": "purl", "id": MPY}, {"type": "cpe", "id": "cpe:/a:x"}]
    product = {"name": "micropython", "identifiers": identifiers, "releases": [cycle]}
    return {"schema_version": "1.2.0", "generated_at": iso(NOW - DAY), "result": [product]}


def write(folder: Path, said: object, name: str = "feed.json") -> Path:
    path = folder / name
    path.write_text(said if isinstance(said, str) else json.dumps(said))
    return path


# --- what concerns what ---------------------------------------------------------------------


BUILD = Build("therm-v2", "1.4.0", (Component(MPY, "1.29.0"),))
FLAW = Flaw("GHSA-1", ("CVE-2026-7",), 9.8, (Affected(MPY, (Span("1.20", "1.30"),)),))


def known(*words: Word, flaw: Flaw = FLAW, exploited: tuple[str, ...] = ()) -> Known:
    return Known((flaw,), words, frozenset(exploited))


def word(status: str, at: int = NOW, versions: str = "=1.4.0") -> Word:
    return Word("CVE-2026-7", status, "therm-v2", versions, at, "V-1")


@pytest.mark.parametrize(
    ("given_known", "open_ones"),
    [
        pytest.param(known(), ("CVE-2026-7",), id="affected-component"),
        pytest.param(known(word("not_affected")), (), id="not-affected"),
        pytest.param(known(word("fixed")), (), id="fixed"),
        pytest.param(known(word("under_investigation")), ("CVE-2026-7",), id="investigated"),
        pytest.param(
            known(word("not_affected", NOW - 9), word("affected")), ("CVE-2026-7",), id="newest"
        ),
        pytest.param(
            known(word("fixed"), word("affected")), ("CVE-2026-7",), id="same-instant-worse"
        ),
        pytest.param(
            known(word("not_affected", versions="=1.3.0")), ("CVE-2026-7",), id="other-version"
        ),
        pytest.param(known(flaw=FLAW._replace(score=4.0)), (), id="low-score"),
        pytest.param(known(flaw=FLAW._replace(score=None)), ("CVE-2026-7",), id="no-score"),
        pytest.param(
            known(flaw=FLAW._replace(score=4.0), exploited=("CVE-2026-7",)),
            ("CVE-2026-7",),
            id="low-but-exploited",
        ),
        pytest.param(
            known(flaw=FLAW._replace(affected=(Affected(MPY, (Span("1.30"),)),))), (), id="later"
        ),
        pytest.param(
            known(flaw=FLAW._replace(affected=(Affected(MPY),))), ("CVE-2026-7",), id="no-range"
        ),
        pytest.param(
            Known((), (word("affected"),), frozenset()), ("CVE-2026-7",), id="maker-says-so"
        ),
    ],
)
def test_a_flaw_is_open_until_it_is_settled(given_known: Known, open_ones: tuple) -> None:
    assert flaws.still_open(BUILD, given_known, max_cvss=7.0) == open_ones


def test_what_an_earlier_release_had_and_this_one_has_not_is_fixed_and_wants_an_advisory() -> None:
    newer = BUILD._replace(version="1.5.0", components=(Component(MPY, "1.30.0"),))
    assert flaws.fixed_since(newer, [BUILD], known()) == ("CVE-2026-7",)
    forgotten = newer._replace(components=(Component("pkg:generic/other", "1"),))
    assert flaws.fixed_since(forgotten, [BUILD], known()) == ()
    assert flaws.unadvised(("CVE-2026-7",), "therm-v2", known()) == ("CVE-2026-7",)
    assert flaws.unadvised(("CVE-2026-7",), "therm-v2", known(word("fixed"))) == ()


@pytest.mark.parametrize(
    ("vector", "score"),
    [
        (HIGH, 9.8),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
        ("CVSS:3.0/AV:L/AC:H/PR:L/UI:N/S:U/C:H/I:N/A:N", 4.7),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0),
        ("CVSS:4.0/AV:N", None),
        (GRAVE, 9.3),
        (f"{GRAVE}/E:U/CR:L", 9.3),  # threat and environment are no part of it
        (GRAVE.replace("/SC:N/SI:N/SA:N", "/SC:H/SI:H/SA:H"), 10.0),
        ("CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 7.7),
        ("CVSS:4.0/AV:A/AC:H/AT:N/PR:L/UI:N/VC:N/VI:N/VA:H/SC:L/SI:N/SA:N", 5.9),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:A/VC:N/VI:N/VA:N/SC:L/SI:L/SA:N", 5.1),
        ("CVSS:4.0/AV:P/AC:H/AT:P/PR:H/UI:A/VC:L/VI:L/VA:N/SC:N/SI:N/SA:L", 1.0),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N", 0.0),
        (GRAVE.replace("SC:N", "SC:S"), None),  # only a modified metric says so
        ("CVSS:3.1/AV:X", None),
        ("", None),
    ],
)
def test_scores_are_those_of_the_specification(vector: str, score: float | None) -> None:
    assert base_score(vector) == score


@given(st.fixed_dictionaries({name: st.sampled_from(said) for name, said in METRICS.items()}))
def test_nothing_that_gets_worse_lowers_a_score(said: dict[str, str]) -> None:
    score = cvss4.base_score(said)
    assert score is not None
    for name, values in METRICS.items():
        worse = values[: values.index(said[name])][-1:]
        if worse:
            assert (cvss4.base_score(said | {name: worse}) or 0) >= score


def test_of_two_versions_of_cvss_the_graver_score_counts(tmp_path: Path) -> None:
    low = "CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N"
    both = [{"type": "CVSS_V3", "score": low}, {"type": "CVSS_V4", "score": GRAVE}]
    found = osv.read(read_json(write(tmp_path, osv_record(severity=both)))).flaw
    assert found is not None
    assert found.score == 9.3


@pytest.mark.parametrize(
    ("purl", "name", "version"),
    [
        ("pkg:pypi/Foo_Bar@1.0", "pkg:pypi/foo-bar", "1.0"),
        ("pkg:npm/%40a/b@2", "pkg:npm/@a/b", "2"),
        ("pkg:github/x/y@v1?z=1#s", "pkg:github/x/y", "v1"),
        ("pkg:generic/z", "pkg:generic/z", ""),
    ],
)
def test_packages_are_known_by_their_purl(purl: str, name: str, version: str) -> None:
    assert package_of(purl) == (name, version)


def test_osv_and_a_component_list_call_a_package_the_same() -> None:
    assert package("PyPI", "Foo.Bar") == package_of("pkg:pypi/foo_bar@1")[0]


# --- readers --------------------------------------------------------------------------------


def test_a_record_is_read_with_its_ranges(tmp_path: Path) -> None:
    events = [{"introduced": "0"}, {"fixed": "1.2"}, {"introduced": "1.5"}, {"last_affected": "2"}]
    affected = {"package": {"ecosystem": "PyPI", "name": "X"}}
    affected["ranges"] = [{"type": "ECOSYSTEM", "events": events}, {"type": "GIT", "events": []}]
    said = osv_record(affected=[affected], aliases=["GHSA-2"])
    found = osv.read(read_json(write(tmp_path, said))).flaw
    assert found.affected == (Affected("pkg:pypi/x", (Span("0", "1.2"), Span("1.5", "", "2"))),)
    assert (found.score, found.aliases) == (9.8, ("GHSA-2",))


def test_a_withdrawn_record_is_no_flaw_yet_dates_the_feed(tmp_path: Path) -> None:
    said = osv_record(withdrawn=iso(NOW))
    assert osv.read(read_json(write(tmp_path, said))) == (None, NOW - DAY)


def test_a_vex_document_is_read_with_its_products(tmp_path: Path) -> None:
    found = csaf.read(read_json(write(tmp_path, vex())))
    assert found.words == (
        Word("CVE-2026-7", "not_affected", "therm-v2", "=1.4.0", NOW - DAY, "V-1"),
    )


@pytest.mark.parametrize(
    ("status", "spread", "words"),
    [
        ("fixed", "vers:rpm/0:1.4-80.el8", []),
        ("known_affected", "0:1.4-80.el8", [""]),
        ("known_not_affected", "vers:semver/>=1.0|<2.0", [">=1.0 <2.0"]),
        ("fixed", "vers:semver/1.0|1.4", []),
        ("fixed", ">= 1.4", [">=1.4"]),
        ("fixed", "vers:all/*", [""]),
    ],
)
def test_a_version_that_cannot_be_compared_settles_nothing(
    tmp_path: Path, status: str, spread: str, words: list[str]
) -> None:
    said = vex(status)
    product = said["product_tree"]["branches"][0]["branches"][0]["branches"][0]
    product.update(category="product_version_range", name=spread)
    found = csaf.read(read_json(write(tmp_path, said)))
    assert [each.versions for each in found.words] == words


def test_a_flaw_of_a_part_in_a_product_is_said_of_that_product_alone(tmp_path: Path) -> None:
    said = vex()
    tree = said["product_tree"]
    tree["full_product_names"] = [
        {
            "product_id": "C1",
            "name": "mpy",
            "product_identification_helper": {"purl": f"{MPY}@1.29.0"},
        }
    ]
    tree["relationships"] = [
        {
            "category": "default_component_of",
            "product_reference": "C1",
            "relates_to_product_reference": "P1",
            "full_product_name": {"product_id": "C1P1", "name": "mpy in therm-v2"},
        }
    ]
    said["vulnerabilities"][0]["product_status"] = {"known_not_affected": ["C1P1"]}
    found = csaf.read(read_json(write(tmp_path, said)))
    assert [each.product for each in found.words] == ["therm-v2"]


READERS: dict[str, tuple[Callable[[Node], object], Callable[[], dict]]] = {
    "osv": (osv.read, osv_record),
    "vex": (csaf.read, vex),
    "kev": (
        kev.read,
        lambda: {"dateReleased": iso(NOW), "vulnerabilities": [{"cveID": "CVE-2026-7"}]},
    ),
    "sbom": (sbom.read, lambda: component_list("ab" * 32)),
    "eol": (lifecycle.read, lambda: lifecycles()),
}


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("other", READERS)
def test_a_foreign_document_is_refused_by_name(tmp_path: Path, kind: str, other: str) -> None:
    read, made = READERS[kind][0], READERS[other][1]
    document = read_json(write(tmp_path, made()))
    if kind == other:
        assert read(document)
        return
    with pytest.raises(Trouble, match=r"feed\.json") as caught:
        read(document)
    assert caught.value.code == "feed.foreign"
    assert caught.value.fix


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(json.dumps(osv_record())[:-40], "feed.syntax", id="truncated"),
        pytest.param('{"id": 1, "id": 2}', "feed.syntax", id="twice"),
        pytest.param('{"a": NaN}', "feed.syntax", id="nan"),
        pytest.param("[" * 100_000, "feed.syntax", id="deep"),
        pytest.param("\ud800".encode("utf-8", "surrogatepass"), "feed.syntax", id="no-utf-8"),
        pytest.param(b" " * (MOST_BYTES + 1), "feed.size", id="too-large"),
        pytest.param(None, "feed.missing", id="missing"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(tmp_path: Path, text: object, code: str) -> None:
    path = tmp_path / "feed.json"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else str(text).encode())
    with pytest.raises(Trouble, match=r"feed\.json") as caught:
        read_json(path)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("kind", "bend", "place"),
    [
        ("osv", lambda d: d.update(modified="yesterday"), "/modified"),
        ("osv", lambda d: d["affected"][0]["package"].update(purl="mpy"), "/affected/0/package"),
        ("osv", lambda d: d.update(affected={}), "/affected"),
        (
            "osv",
            lambda d: d["affected"][0]["ranges"][0].update(events=[{"fixed": "1"}]),
            "/affected/0/ranges/0/events/0",
        ),
        ("vex", lambda d: d["document"]["tracking"].pop("id"), "/document/tracking"),
        ("vex", lambda d: d["document"]["tracking"].update(status="draft"), "/document/tracking"),
        (
            "vex",
            lambda d: d["vulnerabilities"][0].update(product_status={"fixed": ["P9"]}),
            "/vulnerabilities/0/product_status/fixed/0",
        ),
        (
            "vex",
            lambda d: d["vulnerabilities"][0].update(product_status={"harmless": ["P1"]}),
            "/vulnerabilities/0/product_status",
        ),
        ("kev", lambda d: d.update(vulnerabilities=[]), "/vulnerabilities"),
        ("eol", lambda d: d.update(result=[]), "/result"),
        ("eol", lambda d: d["result"][0]["releases"][0].update(isEol="no"), "/result/0/releases/0"),
        ("sbom", lambda d: d["metadata"].pop("timestamp"), "/metadata"),
        ("sbom", lambda d: d["metadata"].pop("component"), "/metadata"),
        ("sbom", lambda d: d["components"][0].update(type="soup"), "/"),
    ],
)
def test_a_wrong_field_is_told_with_its_place(
    tmp_path: Path, kind: str, bend: Callable[[dict], object], place: str
) -> None:
    read, made = READERS[kind]
    said = made()
    bend(said)
    with pytest.raises(Trouble, match=r"feed\.json") as caught:
        read(read_json(write(tmp_path, said)))
    assert caught.value.code == "feed.field"
    assert caught.value.why.startswith(place)


def code_of(read: Callable[[], object]) -> str:
    """The code of a refusal, or nothing."""
    try:
        read()
    except Trouble as trouble:
        return trouble.code
    return ""


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)


@pytest.mark.parametrize("kind", READERS)
@settings(max_examples=30)
@given(data=st.data())
def test_any_document_is_read_or_refused_and_nothing_else(kind: str, data: st.DataObject) -> None:
    """One value anywhere in a good document is replaced by another of any kind."""
    read, made = READERS[kind]
    said: Any = made()
    at: Any = said
    while isinstance(at, dict | list) and at and data.draw(st.booleans()):
        keys = sorted(at) if isinstance(at, dict) else range(len(at))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(at[key], dict | list) or data.draw(st.booleans()):
            at[key] = data.draw(_JSON)
            break
        at = at[key]
    document = Node(json.loads(json.dumps(said)), Path("feed.json"))
    assert code_of(lambda: read(document)) in ("", "feed.field", "feed.foreign")


@settings(max_examples=40)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_contact_or_refused(tmp_path_factory: Any, raw: bytes) -> None:
    path = tmp_path_factory.mktemp("c") / "security.txt"
    path.write_bytes(raw)
    assert code_of(lambda: contact.read(path)) in ("", "feed.syntax", "feed.foreign")


# --- component lists ------------------------------------------------------------------------


def built(**changes: Any):
    made = release("therm-v2", "esp32c3", "1.4.0", days_ago=45)
    return replace(made, code_digest=manifest_of(FILES), **changes)


def test_a_list_that_names_image_and_every_code_file_covers_the_release(tmp_path: Path) -> None:
    made = built()
    found = sbom.read(read_json(write(tmp_path, component_list(made.app_digest))))
    assert sbom.missing(found, made, None) == ()
    assert Component(MPY, "v1.29.0") in found.components


def test_what_a_list_leaves_out_is_named_when_the_files_are_there(tmp_path: Path) -> None:
    said = component_list("00" * 32)
    said["components"].pop()
    found = sbom.read(read_json(write(tmp_path, said)))
    assert sbom.missing(found, built(), None) == ("app image", "code files")
    files = {"/main.py": b"main", "/lib/lamp.py": b"lamp", "/note.txt": b""}
    assert sbom.missing(found, built(), files) == ("app image", "/lib/lamp.py")
    others = files | {"/main.py": b"changed since"}
    assert "not the release's own" in sbom.missing(found, built(), others)[1]


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_hash_beside_a_document_must_hold(tmp_path: Path, algorithm: str) -> None:
    folder = tmp_path / "csaf"
    folder.mkdir()
    one, two = (write(folder, vex(), name) for name in ("one.json", "two.json"))
    beside = folder / f"one.json.{algorithm}"
    beside.write_text(f"{hashlib.new(algorithm, one.read_bytes()).hexdigest().upper()}  one.json\n")
    for path in (one, two):
        path.with_name(f"{path.name}.asc").write_text("-----BEGIN PGP SIGNATURE-----")
    brought = intake.vex_feed(folder, "vex")
    assert brought.proof == "hashes hold for 1 of 2 documents; 2 OpenPGP signatures not checked"
    for said in ("00" * 32, "", "no hash at all"):
        beside.write_text(said)
        with pytest.raises(Trouble) as caught:
            intake.vex_feed(folder, "vex")
        assert (caught.value.code, "one.json" in caught.value.what) == ("feed.hash", True)


def test_what_has_nothing_beside_it_claims_no_proof(tmp_path: Path) -> None:
    assert intake.osv_feed(write(tmp_path, osv_record()), "osv", synced=None).proof == ""


# --- in the fleet ---------------------------------------------------------------------------


@pytest.fixture
def fleet(tmp_path: Path) -> Standing:
    fleet = Standing(tmp_path)
    fleet.policy = replace(fleet.policy, max_evidence_age=90 * DAY)
    fleet.context = type(fleet.context)(fleet.store, fleet.policy)
    fleet.add_release(built())
    fleet.enrol("therm-01", "therm-v2", "esp32c3", "1.4.0")
    fleet.report("therm-01", code_digest=bytes.fromhex(manifest_of(FILES)))
    return fleet


def bring(fleet: Standing, brought: intake.Brought, *, at: int = NOW) -> None:
    intake.keep(fleet.store, fleet.policy, brought, at=at, by="ann")


def bring_all(fleet: Standing, folder: Path, *, version: str = "1.29.0") -> None:
    made = fleet.store.releases()[0].release
    listed = component_list(made.app_digest, version)
    bring(fleet, intake.sbom_feed(write(folder, listed, "sbom.json"), made, None))
    bring(fleet, intake.osv_feed(write(folder, osv_record()), "osv", synced=None))


def said_of(fleet: Standing, duty: str, now: int = NOW):
    fleet.context.refresh()
    facts = fleet.context.standing_facts("d01", now=now)
    found = {each.duty: each for each in judge(facts, fleet.catalogue).appraisals}
    remembered = {each.duty: each for each in fleet.judge.judge(facts).appraisals}
    assert found[duty].outcome is remembered[duty].outcome
    return found[duty]


FLAWS = "vuln.none-exploitable"


def test_without_a_feed_nothing_is_said_of_flaws(fleet: Standing) -> None:
    found = said_of(fleet, FLAWS)
    assert (found.outcome, found.reason) == (Outcome.NOT_SHOWN, Reason.NO_FEED)


def test_with_flaws_known_and_no_component_list_nothing_is_said(
    fleet: Standing, tmp_path: Path
) -> None:
    bring(fleet, intake.osv_feed(write(tmp_path, osv_record()), "osv", synced=None))
    assert said_of(fleet, FLAWS).outcome is Outcome.NOT_SHOWN


def test_an_affected_component_is_found_and_the_makers_word_settles_it(
    fleet: Standing, tmp_path: Path
) -> None:
    bring_all(fleet, tmp_path)
    found = said_of(fleet, FLAWS)
    assert found.outcome is Outcome.NOT_MET
    assert "CVE-2026-7" in found.because
    bring(fleet, intake.vex_feed(write(tmp_path, vex()), "maker"))
    assert said_of(fleet, FLAWS).outcome is Outcome.MET


def test_a_flaw_of_our_own_incident_counts_whatever_its_score(
    fleet: Standing, tmp_path: Path
) -> None:
    made = fleet.store.releases()[0].release
    listed = write(tmp_path, component_list(made.app_digest), "sbom.json")
    bring(fleet, intake.sbom_feed(listed, made, None))
    bring(
        fleet,
        intake.osv_feed(
            write(tmp_path, osv_record(severity=[], database_specific={"severity": "LOW"})),
            "osv",
            synced=None,
        ),
    )
    assert said_of(fleet, FLAWS).outcome is Outcome.MET
    seen = Incident("i-1", Kind.EXPLOITED, "seen", (), NOW, (), "CVE-2026-7")
    fleet.store.open_incident(IncidentRow(seen, NOW, "ann"))
    assert said_of(fleet, FLAWS).outcome is Outcome.NOT_MET


def test_a_component_beyond_the_range_is_no_finding(fleet: Standing, tmp_path: Path) -> None:
    bring_all(fleet, tmp_path, version="1.30.0")
    assert said_of(fleet, FLAWS).outcome is Outcome.MET


def test_a_feed_that_grows_old_says_nothing_and_that_is_forecast(
    fleet: Standing, tmp_path: Path
) -> None:
    bring_all(fleet, tmp_path, version="1.30.0")
    fleet.advance()
    ends = NOW - DAY + fleet.policy.max_feed_age
    assert said_of(fleet, FLAWS, ends - 1).outcome is Outcome.MET
    assert said_of(fleet, FLAWS, ends).outcome is Outcome.NOT_SHOWN
    span = {"now": NOW, "until": ends, "regime": "eu-cra"}
    told = forecast(fleet.store, fleet.policy, fleet.catalogue, **span)
    turns = {(turn.duty.id, turn.at, turn.cause) for turn in told.turns}
    assert (FLAWS, ends, Cause.FEED_AGE) in turns
    assert fleet.store.due(ends)


def test_the_oldest_of_several_sources_gives_the_age(fleet: Standing, tmp_path: Path) -> None:
    bring_all(fleet, tmp_path, version="1.30.0")
    old = write(tmp_path, osv_record(modified=iso(NOW - 6 * DAY)), "old.json")
    bring(fleet, intake.osv_feed(old, "other", synced=None))
    assert said_of(fleet, FLAWS, NOW + DAY).outcome is Outcome.NOT_SHOWN


@pytest.mark.parametrize(
    ("days", "code"), [(8, "feed.stale"), (-2, "feed.future"), (3, "feed.older")]
)
def test_a_feed_of_another_time_is_refused(
    fleet: Standing, tmp_path: Path, days: int, code: str
) -> None:
    bring(fleet, intake.osv_feed(write(tmp_path, osv_record()), "osv", synced=None))
    path = write(tmp_path, osv_record(modified=iso(NOW - days * DAY)))
    with pytest.raises(Trouble) as caught:
        bring(fleet, intake.osv_feed(path, "osv", synced=None))
    assert caught.value.code == code
    assert len(fleet.store.feeds()) == 1


def test_one_bad_document_keeps_a_whole_mirror_out(fleet: Standing, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    write(mirror, osv_record(), "a.json")
    write(mirror, json.dumps(osv_record())[:99], "b.json")
    with pytest.raises(Trouble, match=r"b\.json"):
        intake.osv_feed(mirror, "osv", synced=NOW)
    assert fleet.store.feeds() == ()


@pytest.mark.parametrize(
    ("cycle", "outcome"),
    [
        ({}, Outcome.MET),
        ({"isEol": True}, Outcome.NOT_MET),
        ({"eolFrom": iso(NOW - 2 * DAY)[:10]}, Outcome.NOT_MET),
        ({"isEol": True, "name": "1.28"}, Outcome.MET),
        ({"isEol": True, "name": "1"}, Outcome.NOT_MET),
    ],
)
def test_a_component_past_its_end_of_life_is_found_by_its_cycle(
    fleet: Standing, tmp_path: Path, cycle: dict, outcome: Outcome
) -> None:
    bring_all(fleet, tmp_path)
    said = write(tmp_path, lifecycles(**cycle), "eol.json")
    bring(fleet, intake.eol_feed(said, "eol", synced=None))
    assert said_of(fleet, "supply.components-supported").outcome is outcome


@pytest.mark.parametrize(
    ("expires", "at", "outcome"),
    [
        ("", NOW + 6 * DAY, Outcome.MET),
        ("Expires: 2026-11-25T00:00:00Z", NOW, Outcome.MET),
        ("Expires: 2026-11-25T00:00:00Z", NOW + 2 * DAY, Outcome.NOT_MET),
        ("", NOW + 7 * DAY, Outcome.NOT_SHOWN),
    ],
)
def test_a_contact_holds_until_its_page_expires_or_nobody_looks_any_more(
    fleet: Standing, tmp_path: Path, expires: str, at: int, outcome: Outcome
) -> None:
    page = write(tmp_path, f"Contact: mailto:security@support.example\n{expires}\n", "s.txt")
    bring(fleet, intake.contact_feed(page, "therm-v2", synced=NOW))
    assert said_of(fleet, "vuln.contact-live", at).outcome is outcome


def test_a_contact_that_is_not_the_declared_one_is_out_of_order(
    fleet: Standing, tmp_path: Path
) -> None:
    page = write(tmp_path, "Contact: mailto:nobody@support.example\n", "s.txt")
    bring(fleet, intake.contact_feed(page, "therm-v2", synced=NOW))
    assert said_of(fleet, "vuln.contact-live").outcome is Outcome.NOT_MET


def test_a_newer_release_that_fixes_it_is_known(fleet: Standing, tmp_path: Path) -> None:
    bring_all(fleet, tmp_path)
    fixed = release("therm-v2", "esp32c3", "1.5.0", days_ago=10)
    fleet.add_release(fixed)
    listed = component_list(fixed.app_digest, "1.30.0")
    bring(fleet, intake.sbom_feed(write(tmp_path, listed, "new.json"), fixed, None))
    fleet.context.refresh()
    facts = fleet.context.standing_facts("d01", now=NOW).f
    assert facts.vulns_fixable == ("CVE-2026-7",)
    assert facts.fix_released == fixed.released


def test_the_same_feed_twice_is_kept_once(fleet: Standing, tmp_path: Path) -> None:
    for _ in range(2):
        bring_all(fleet, tmp_path)
    actions = [row.action for row in fleet.store.audit()]
    assert actions.count("feed.added") == 2


# --- the command line -------------------------------------------------------------------------


def run(fleet: Standing, *words: str) -> Any:
    from troth.cli import root

    home = Path(fleet.url.removeprefix("sqlite:///")).parent
    (home / "troth.toml").touch()
    done = CliRunner().invoke(root, ["--home", str(home), "--json", *words], standalone_mode=False)
    assert done.exception is None, done.exception
    return json.loads(done.stdout)


def test_the_walk_from_an_empty_store_to_an_open_flaw(fleet: Standing, tmp_path: Path) -> None:
    import time

    now = int(time.time())
    listed = component_list(fleet.store.releases()[0].release.app_digest)
    ref = ("--release", "therm-v2@1.4.0")
    added = run(fleet, "feed", "add", "sbom", str(write(tmp_path, listed, "s.json")), *ref)
    assert (added["items"], added["missing"]) == (3, [])
    record = write(tmp_path, osv_record(modified=iso(now - DAY)))
    assert run(fleet, "feed", "add", "osv", str(record))["state"] == "fresh"
    exploited = {"dateReleased": iso(now), "vulnerabilities": [{"cveID": "CVE-2026-7"}]}
    run(fleet, "feed", "add", "kev", str(write(tmp_path, exploited, "k.json")))
    page = tmp_path / "security.txt"
    page.write_text("Contact: mailto:security@support.example\nExpires: 2030-01-01T00:00:00z\n")
    run(fleet, "feed", "add", "contact", str(page), "--model", "therm-v2")
    shown = run(fleet, "feed", "show", "therm-v2@1.4.0")
    assert shown["vulns_open"] == ["CVE-2026-7"]
    assert (shown["contact_ok"], shown["contact_expires"]) == (True, "2030-01-01T00:00:00Z")
    kinds = {row["kind"]: row["state"] for row in run(fleet, "feed", "list")["feeds"]}
    assert kinds == {"contact": "fresh", "kev": "fresh", "osv": "fresh", "sbom": "stands"}
    run(fleet, "feed", "add", "vex", str(write(tmp_path, vex(at=now), "v.json")))
    assert run(fleet, "feed", "show", "therm-v2@1.4.0")["vulns_open"] == []
