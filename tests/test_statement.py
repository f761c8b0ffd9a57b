"""The maker's statement: every key checked, every mistake told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from troth.core.reference import Statement
from troth.factory.statement import from_map, read_statement, to_map, to_words
from troth.trouble import Trouble

GOOD = """\
support_url = "https://support.example/therm-v2"
support_end = 2031-12-31
expected_use_years = 5
vdp_contact = "security@support.example"
vdp_ack_days = 5
markets = ["eu", "uk"]
password_kind = "none"
isolable = true
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "statement.toml"
    path.write_text(text)
    return path


def test_a_statement_says_what_its_file_says(tmp_path: Path) -> None:
    said = read_statement(write(tmp_path, GOOD))
    assert said.support_end == 1_956_527_999  # the last second of that day, UTC
    assert said.expected_use == 157_680_000
    assert said.markets == ("eu", "uk")
    assert said.vdp_url is None


def test_what_is_not_said_stays_unsaid(tmp_path: Path) -> None:
    assert read_statement(write(tmp_path, "")) == Statement()


def test_a_record_gives_the_same_statement_back(tmp_path: Path) -> None:
    said = read_statement(write(tmp_path, GOOD))
    assert from_map(to_map(said)) == said


def test_a_statement_is_shown_in_the_words_of_its_file(tmp_path: Path) -> None:
    said = to_words(read_statement(write(tmp_path, GOOD)))
    assert said["support_end"] == "2031-12-31T23:59:59Z"
    assert said["expected_use_years"] == 5
    assert "expected_use" not in said


@pytest.mark.parametrize(
    ("line", "code"),
    [
        pytest.param("support_ends = 2031-12-31", "statement.unknown-key", id="misspelt"),
        pytest.param('support_end = "2031-12-31"', "statement.type", id="quoted-date"),
        pytest.param('support_url = "http://x"', "statement.range", id="no-https"),
        pytest.param("vdp_ack_days = 0", "statement.range", id="no-days"),
        pytest.param("vdp_ack_days = true", "statement.type", id="flag-as-number"),
        pytest.param('markets = ["us"]', "statement.range", id="unknown-market"),
        pytest.param('markets = "eu"', "statement.type", id="text-as-list"),
        pytest.param('password_kind = "strong"', "statement.range", id="unknown-word"),
        pytest.param('isolable = "yes"', "statement.type", id="text-as-flag"),
        pytest.param('statement_ref = " "', "statement.type", id="blank"),
        pytest.param("expected_use_years = -1", "statement.range", id="negative-years"),
        pytest.param("[support]\nend = 1", "statement.unknown-key", id="table"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_key(tmp_path: Path, line: str, code: str) -> None:
    path = write(tmp_path, "# the maker's word\n" + line + "\n")
    with pytest.raises(Trouble) as caught:
        read_statement(path)
    assert caught.value.code == code
    assert caught.value.what.startswith("statement.toml")
    assert "line 2" in caught.value.why


def test_a_broken_file_is_told_by_the_toml_reader(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match=r"statement\.toml") as caught:
        read_statement(write(tmp_path, "a = \nb = 1"))
    assert caught.value.code == "statement.syntax"
    assert "line 1" in caught.value.why


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Trouble) as caught:
        read_statement(tmp_path / "none.toml")
    assert caught.value.code == "statement.missing"
