"""The formats for other people's programs, each held against that program's own validator."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from standing import NOW, Standing, demo_fleet
from troth.cli import root
from troth.cli.output import NOT_TRUSTED, exit_code
from troth.factory.keys import make_key, public_pem, read_private_key
from troth.report import FORMATS, written
from troth.report.report import Report, report
from troth.trouble import Trouble

REGIMES = ("uk-psti", "eu-red-18031", "etsi-303645-v313", "troth-baseline", "sg-cls-l1")
AS_OF = "2026-11-23T08:00:00Z"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Standing:
    return demo_fleet(tmp_path_factory.mktemp("formats"))


def made(fleet: Standing, ident: str, model: str = "") -> Report:
    regime = next(each for each in fleet.catalogue.regimes if each.id == ident)
    return report(fleet.context, fleet.catalogue, regime, as_of=NOW, model=model)


def text(form: str, report: Report) -> str:
    return written(report, form).decode()


@pytest.mark.parametrize("form", [*FORMATS, "pdf"])
def test_the_same_instant_gives_the_same_bytes_and_names_what_decided(
    fleet: Standing, form: str
) -> None:
    first, again = made(fleet, "uk-psti"), made(fleet, "uk-psti")
    assert written(first, form) == written(again, form)
    raw = written(first, form)
    if form != "pdf":
        for digest in (first.catalogue, first.regime_digest, first.references):
            assert digest.encode() in raw
        assert first.engine.rpartition(" ")[2].encode() in raw


@pytest.mark.parametrize("ident", REGIMES)
def test_oscal_is_what_trestle_reads(fleet: Standing, ident: str) -> None:
    from trestle.oscal import assessment_results, catalog, mapping

    found = made(fleet, ident)
    for form, model in (
        ("oscal-ar", assessment_results.Model),
        ("oscal-catalog", catalog.Model),
        ("oscal-mapping", mapping.Model),
    ):
        model.model_validate_json(text(form, found))


def test_oscal_points_at_nothing_that_is_not_there(fleet: Standing) -> None:
    said = json.loads(text("oscal-ar", made(fleet, "uk-psti")))["assessment-results"]
    (result,) = said["results"]
    there = {each["uuid"] for each in result["observations"]}
    local = result["local-definitions"]
    subjects = {each["uuid"] for part in local.values() for each in part}
    assert len(there) == len(result["observations"])
    for finding in result["findings"]:
        assert {each["observation-uuid"] for each in finding["related-observations"]} <= there
    for seen in result["observations"]:
        assert {each["subject-uuid"] for each in seen["subjects"]} <= subjects
    failing = [f for f in result["findings"] if f["target"]["status"]["reason"] == "fail"]
    assert failing


@pytest.mark.parametrize("ident", REGIMES)
def test_cyclonedx_holds_its_schema_and_its_references(fleet: Standing, ident: str) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    raw = text("cyclonedx", made(fleet, ident))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(raw) is None
    said = json.loads(raw)
    refs = set(_values(said, "bom-ref"))
    for part in said["declarations"]["attestations"][0]["map"]:
        assert {
            part["requirement"],
            *part.get("claims", ()),
            *part.get("counterClaims", ()),
        } <= refs
    assert {claim["target"] for claim in said["declarations"]["claims"]} <= refs


@pytest.mark.parametrize("ident", REGIMES)
def test_csaf_is_valid_to_its_own_package(fleet: Standing, ident: str, tmp_path: Path) -> None:
    import csaf

    path = tmp_path / "report.json"
    path.write_text(text("csaf", made(fleet, ident)), encoding="utf-8")
    said = csaf.validate_file(path)
    assert said.overall_valid, said.results


def test_a_pdf_reads_back_what_the_report_says(fleet: Standing) -> None:
    from pypdf import PdfReader

    found = made(fleet, "uk-psti")
    pages = PdfReader(io.BytesIO(written(found, "pdf"))).pages
    said = " ".join("".join(page.extract_text() for page in pages).split())
    for word in (found.words, "Method", "Scope", "Assurance", "Check it again", found.as_of):
        assert word in said
    squeezed = said.replace(" ", "")
    for breach in found.breaches:
        assert breach.duty.id in squeezed
    for digest in (found.catalogue, found.references):
        assert digest in squeezed


def test_without_its_engine_a_pdf_is_refused_with_the_remedy(
    fleet: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "reportlab.platypus", None)
    with pytest.raises(Trouble) as caught:
        written(made(fleet, "uk-psti"), "pdf")
    assert caught.value.code == "report.engine"
    assert "troth[pdf]" in caught.value.fix


def test_the_brief_answer_is_one_page(fleet: Standing) -> None:
    said = text("brief", made(fleet, "uk-psti"))
    assert "evidence of breach" in said.splitlines()[0]
    assert len(said.splitlines()) <= 60


def test_a_signed_report_is_verified_and_an_altered_one_is_not(
    fleet: Standing, tmp_path: Path
) -> None:
    for name in ("auditor", "other"):
        make_key(tmp_path / f"{name}.key")
        public = read_private_key(tmp_path / f"{name}.key").public_key()
        (tmp_path / f"{name}.pub").write_bytes(public_pem(public))
    out = tmp_path / "psti.csaf.json"
    asked = ["--db", fleet.url, "report", "--regime", "uk-psti", "--as-of", AS_OF, "-f", "csaf"]
    say(*asked, "-o", str(out), "--sign", str(tmp_path / "auditor.key"))
    check = ("report", "verify", str(out), "--key", str(tmp_path / "auditor.pub"))
    assert "as signed" in say(*check)
    assert refused(*check[:-1], str(tmp_path / "other.pub")) == "report.signature"
    out.write_bytes(out.read_bytes() + b" ")
    assert refused(*check) == "report.altered"
    (tmp_path / "psti.csaf.json.sig").unlink()
    assert refused(*check) == "report.unsigned"


def say(*words: str) -> str:
    return CliRunner().invoke(root, list(words), catch_exceptions=False).output


def refused(*words: str) -> str:
    """The code, which ends with 4."""
    err = CliRunner().invoke(root, list(words)).exception
    assert isinstance(err, Trouble)
    assert exit_code(err.code) == NOT_TRUSTED
    return err.code


def _values(tree: Any, name: str) -> list[Any]:
    if isinstance(tree, dict):
        own = [tree[name]] if name in tree else []
        return own + [each for value in tree.values() for each in _values(value, name)]
    return (
        [each for value in tree for each in _values(value, name)] if isinstance(tree, list) else []
    )
