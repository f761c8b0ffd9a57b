"""The linter hears every flaw, with file, line and remedy; packs never take a built-in id."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree

import pytest
from click.testing import CliRunner, Result

from troth.catalogue import bundled, load
from troth.catalogue.lint import REMEDIES, Finding, lint
from troth.catalogue.loader import HERE
from troth.catalogue.template import template
from troth.cli import root
from troth.policyfile import read_policy
from troth.trouble import Trouble

ID = "acme.clock"


def troth(*words: str) -> Result:
    return CliRunner().invoke(root, [*words])


def pack(tmp_path: Path, *changes: tuple[str, str], ident: str = ID) -> Path:
    """A pack with one duty, the template with these words changed."""
    text = template(ident)
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    (tmp_path / "duties").mkdir(exist_ok=True)
    (tmp_path / "duties" / f"{ident}.yaml").write_text(text)
    return tmp_path


def flaws(found: tuple[Finding, ...]) -> list[tuple[str, int]]:
    return [(each.code, each.line) for each in found]


def test_the_bundled_catalogue_is_clean() -> None:
    assert lint() == ()


def test_a_new_duty_is_clean_and_its_tests_pass(tmp_path: Path) -> None:
    made = troth("duty", "new", ID, "--pack", str(tmp_path / "mine"))
    assert made.exit_code == 0, made.output
    assert lint(tmp_path / "mine") == ()
    tested = troth("duty", "test", str(tmp_path / "mine"))
    assert tested.output == "1 duty, 3 tests, 0 failed\n"


def test_a_test_that_its_rule_fails_is_a_flaw(tmp_path: Path) -> None:
    path = pack(tmp_path, ("{v.skew_s: 3}, expect: met", "{v.skew_s: 61}, expect: met"))
    (found,) = lint(path)
    text = Path(found.file).read_text().splitlines()
    assert (found.code, "v.skew_s: 61" in text[found.line - 1]) == ("duty.tests", True)
    assert "expects met, and the rule says not-met" in found.what
    assert found.fix == "mend the rule, or what the test expects of it"


def test_every_flaw_is_told_not_only_the_first(tmp_path: Path) -> None:
    path = pack(
        tmp_path,
        ("severity: low", "severity: dire\nhow: attested"),
        ("v.skew_s > -60", "v.skew > -60"),
        ('nl: "De klok van het apparaat loopt gelijk"', "nl: no"),
        ("needs: P0", "needs: P0\nneeds: P1"),
        ("{v.skew_s: 75}", "{v.skew_s: soon}"),
        ('met: "the clock is off by {v.skew_s} s"', "met: &a 1.10"),
    )
    found = lint(path)
    assert {each.code for each in found} == {
        *("duty.field", "duty.unknown-name", "duty.file", "duty.type"),
    }
    said = " ".join(each.what for each in found)
    for word in ("severity wants", "named how", "no is read as false", "given twice", "&a", "1.10"):
        assert word in said
    assert all(each.file.endswith("acme.clock.yaml") and each.line > 1 for each in found)
    assert all(each.fix for each in found)
    assert [each.line for each in found] == sorted(each.line for each in found)


@pytest.mark.parametrize(
    ("old", "new", "code", "says"),
    [
        ("party: operator", "party: nobody", "duty.party", "party wants"),
        ("party: operator # who owes it: maker", "# maker", "duty.party", "without party"),
        ("needs: P0", "needs: P0\nwhen: v.skew_s != 0", "duty.tests", "not-applicable"),
        ("v.skew_s > -60", "r.anchors.all(a, a != 'x')", "duty.vacuous", "passes when it is empty"),
        ("v.skew_s > -60", "!r.anchors.exists(a, a == 'x')", "duty.vacuous", "no exists()"),
        ("  - {given: {}, expect: not-shown}\n", "", "duty.tests", "not-shown"),
        (
            "tests:",
            "references:\n  - {regime: eu-cra, version: Regulation (EU) 2024/2847, "
            "status: mandatory, confidence: high, decides: [I.II.8]}\ntests:",
            "duty.makers-law",
            "does not bind|binds makers",
        ),
        (
            "tests:",
            "references:\n  - {regime: eu-nis2, version: Directive (EU) 2022/2555, "
            "status: mandatory, confidence: low, supports: [21(2)(z)]}\ntests:",
            "duty.reference",
            "has no",
        ),
    ],
)
def test_a_flaw_has_its_code(tmp_path: Path, old: str, new: str, code: str, says: str) -> None:
    found = lint(pack(tmp_path, (old, new)))
    assert code in {each.code for each in found}
    assert any(part in each.what for each in found for part in says.split("|"))


@pytest.mark.parametrize(
    ("claim", "duty", "how"),
    [
        ("d.links", "comm.app-links-verified", "all()"),
        ("d.services", "comm.no-plaintext", "no exists()"),
        ("v.vulns_open", "vuln.none-exploitable", "size() == 0"),
    ],
)
def test_nothing_is_said_in_full_of_what_nobody_can_list_in_full(
    tmp_path: Path, claim: str, duty: str, how: str
) -> None:
    copytree(HERE, tmp_path, dirs_exist_ok=True)
    claims = (tmp_path / "claims.yaml").read_text()
    row = next(row for row in claims.splitlines() if row.startswith(f"{claim}:"))
    assert ", whole: true" in row
    told = claims.replace(row, row.replace(", whole: true", ""))
    (tmp_path / "claims.yaml").write_text(told)
    found = [each for each in lint(tmp_path) if each.file.endswith(f"{duty}.yaml")]
    assert {each.what for each in found} == {f"{how} over {claim}, which nobody can list in full"}


def test_a_list_that_is_whole_may_be_asked_for_all_of_it(tmp_path: Path) -> None:
    rule = "d.secure_boot_digests.size() > 0 && d.secure_boot_digests.all(x, x in r.anchors)"
    found = lint(pack(tmp_path, ('"v.skew_s > -60 && v.skew_s < 60"', f'"{rule}"')))
    assert "duty.vacuous" not in {each.code for each in found}


def test_a_pack_may_not_take_a_built_in_id(tmp_path: Path) -> None:
    path = pack(tmp_path, ident="upd.current")
    assert flaws(lint(path)) == [("duty.shadows", 1)]
    with pytest.raises(Trouble) as caught:
        load(packs=(path,))
    assert caught.value.code == "duty.shadows"
    (tmp_path / "regimes").mkdir()
    header = (HERE / "regimes" / "uk-psti.yaml").read_text()
    (tmp_path / "regimes" / "uk-psti.yaml").write_text(header)
    assert [Path(each.file).stem for each in lint(path)] == ["upd.current", "uk-psti"]


def test_a_pack_has_its_own_regime_and_the_catalogue_another_digest(tmp_path: Path) -> None:
    line = "regime: acme-rules, version: '1', status: mandatory, confidence: high, decides: [R1]"
    path = pack(tmp_path, ("tests:", f"references:\n  - {{{line}}}\ntests:"))
    for kind, text in (
        (
            "regimes",
            'title: Ours\nversion: "1"\nlaw: ours\nbinding: false\naddresses: [operator]\n',
        ),
        (
            "provisions",
            'regime: acme-rules\nversion: "1"\ncomplete: true\nprovisions: {R1: , R2: }\n',
        ),
    ):
        (tmp_path / kind).mkdir()
        head = "id: acme-rules\n" if kind == "regimes" else ""
        (tmp_path / kind / "acme-rules.yaml").write_text(head + text)
    assert flaws(lint(path)) == [("regime.coverage", 4)]
    catalogue = load(packs=(path,)).catalogue
    assert catalogue.digest != bundled().digest
    assert [line.duty for line in catalogue.regimes[-1].lines] == [ID]
    assert len(catalogue.duties) == len(bundled().duties) + 1


def test_the_policy_names_packs_beside_itself(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    pack(tmp_path / "rules")
    (tmp_path / "policy.toml").write_text('packs = ["rules"]\n')
    policy, *_ = read_policy(tmp_path / "policy.toml")
    assert policy.packs == (str(tmp_path / "rules"),)
    assert ID in {duty.id for duty in bundled(policy.packs).duties}


def test_a_folder_that_is_no_pack_is_refused(tmp_path: Path) -> None:
    for act in (lambda: lint(tmp_path), lambda: load(packs=(tmp_path,))):
        with pytest.raises(Trouble, match="is no pack"):
            act()


def test_the_command_ends_with_1_and_prints_places(tmp_path: Path) -> None:
    path = pack(tmp_path, ("severity: low", "severity: dire"))
    said = CliRunner().invoke(root, ["duty", "lint", str(path)], standalone_mode=False)
    assert said.return_value == 1
    assert "acme.clock.yaml:10: [duty.field] severity wants" in said.output
    assert "fix:" in said.output
    listed = json.loads(troth("duty", "lint", str(path), "--json").output)
    assert listed["findings"][0]["line"] == 10


def test_every_code_of_the_linter_has_a_remedy() -> None:
    assert all(REMEDIES.values())


def test_a_new_duty_wants_an_id_that_is_free(tmp_path: Path) -> None:
    for ident, code in (("Acme", "duty.field"), ("upd.current", "duty.shadows")):
        with pytest.raises(Trouble) as caught:
            CliRunner().invoke(
                root, ["duty", "new", ident, "--pack", str(tmp_path)], catch_exceptions=False
            )
        assert caught.value.code == code
