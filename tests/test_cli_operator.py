"""The operator's commands as a person types them: words, documents, exit codes."""

from __future__ import annotations

import errno
import io
import json
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import standing
from forge import digest_of
from standing import Standing, demo_fleet
from troth.catalogue import bundled
from troth.cli import root
from troth.cli.output import put_file, put_pieces, run

Home = tuple[Path, Standing]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home whose fleet reported this very hour: the commands read the real clock."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "troth.toml").write_text("")
    (folder / "policy.toml").write_text(
        f'max_evidence_age_s = 10800\nanchors = ["{digest_of("anchor").hex()}"]\n'
    )
    with pytest.MonkeyPatch.context() as patch:
        now = int(time.time())
        patch.setattr(standing, "NOW", now)
        patch.setattr(standing, "PLACED", now - 266 * standing.DAY)
        fleet = demo_fleet(folder)
    yield folder, fleet
    fleet.store.close()


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: bytes
    stderr: bytes


class _Pipe(io.TextIOWrapper):
    """A standard stream as it is in a pipe: text over bytes, no terminal."""

    def __init__(self, data: bytes = b"") -> None:
        super().__init__(io.BytesIO(data), encoding="utf-8", write_through=True)

    def said(self) -> bytes:
        return self.buffer.getvalue()  # type: ignore[attr-defined]


def troth(home: Path, *words: str, stdin: bytes = b"") -> Done:
    """The command line without the second that a new interpreter takes."""
    out, err = _Pipe(), _Pipe()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setattr(sys, "argv", ["troth", *words])
        patch.setattr(sys, "stdin", _Pipe(stdin))
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        code = run(root)
    return Done(code, out.said(), err.said())


def document(done: Done) -> dict:
    found = json.loads(done.stdout)
    assert not done.stderr
    return found


def test_the_list_tells_state_in_glyph_and_word(home: Home) -> None:
    done = troth(home[0], "device", "list")
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0
    assert lines[0].split()[:3] == ["DEVICE", "STATE", "FAILING"]
    assert "✘ non-compliant" in next(line for line in lines if line.startswith("cam-01"))
    assert "◌ stale" in next(line for line in lines if line.startswith("therm-08"))
    assert b"\x1b" not in done.stdout  # plain in a pipe


@pytest.mark.parametrize(
    "words",
    [("--json", "device", "list"), ("device", "--json", "list"), ("device", "list", "--json")],
)
def test_json_is_the_same_before_and_after_the_verb(home: Home, words: tuple[str, ...]) -> None:
    found = document(troth(home[0], *words))
    assert found["schema"] == "troth/devices/1"
    states = {each["name"]: each["state"] for each in found["devices"]}
    assert states["therm-01"] == "compliant"
    assert states["therm-08"] == "stale"


def test_the_list_is_narrowed_by_state_and_duty(home: Home) -> None:
    found = document(troth(home[0], "device", "list", "--duty", "boot.files-known", "--json"))
    assert [each["name"] for each in found["devices"]] == ["therm-03", "therm-05"]


def test_a_device_tells_its_proofs_its_debtor_and_its_remedy(home: Home) -> None:
    text = troth(home[0], "device", "show", "cam-01").stdout.decode()
    assert "maker owes" in text
    assert "surface.no-webrepl" in text
    assert "take webrepl out of boot.py" in text
    found = document(troth(home[0], "device", "show", "cam-01", "--json"))
    assert found["schema"] == "troth/device/1"
    assert {each["party"] for each in found["owed"]} == {"maker"}
    assert len(found["duties"]) == len(bundled().duties)
    assert found["if_sold"] is None
    history = document(troth(home[0], "device", "history", "cam-01", "--json"))
    assert found["catalogue"] == history["judged"][0]["catalogue"] == bundled().digest


def test_a_device_had_another_state_before(home: Home) -> None:
    then = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 2 * 3600))
    found = document(troth(home[0], "device", "show", "therm-03", "--as-of", then, "--json"))
    assert found["state"] == "compliant"


@pytest.mark.parametrize(
    "words", [("device", "list"), ("check",), ("report", "--regime", "uk-psti")]
)
def test_what_is_still_to_come_is_refused(home: Home, words: tuple[str, ...]) -> None:
    done = troth(home[0], *words, "--as-of", "2999-01-01", "--json")
    assert (done.returncode, json.loads(done.stdout)["code"]) == (2, "usage.instant")


def test_history_is_newest_first_and_closed_once(home: Home) -> None:
    found = document(troth(home[0], "device", "history", "therm-03", "--json"))
    assert found["schema"] == "troth/history/1"
    assert [each["state"] for each in found["states"]] == ["non-compliant", "compliant"]
    assert found["states"][0]["to"] is None
    assert found["states"][1]["to"] == found["states"][0]["since"]
    assert {each["subject"] for each in found["duties"]} == {"unit", "release", "model", "maker"}
    then = found["states"][1]["since"]
    before = document(troth(home[0], "device", "history", "therm-03", "--as-of", then, "--json"))
    assert [(each["state"], each["to"]) for each in before["states"]] == [("compliant", None)]
    assert all(each["to"] is None for each in before["duties"])


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), 3),
        (("therm-01",), 0),
        (("therm-08",), 5),  # silent, not non-compliant: --fail-on stale asks for that
        (("therm-08", "--fail-on", "critical"), 5),
        (("therm-05", "--fail-on", "critical"), 0),
        (("--regime", "uk-psti"), 3),
        (("therm-01", "--regime", "eu-red-18031"), 0),
    ],
)
def test_check_ends_with_the_documented_code(home: Home, words: tuple[str, ...], code: int) -> None:
    done = troth(home[0], "check", *words, "--json")
    assert done.returncode == code
    assert document(done)["exit"] == code


def test_what_a_regime_does_not_ask_yet_stands_as_upcoming(home: Home) -> None:
    (cra,) = document(troth(home[0], "check", "--regime", "eu-cra", "--json"))["regimes"]
    assert "surface.no-webrepl" in cra["upcoming"]
    assert (cra["failing"], cra["breaches"]) == ([], [])
    said = troth(home[0], "check", "--regime", "eu-cra").stdout.decode()
    assert "duties upcoming" in said
    assert "vuln.exploited-clock" in cra["not_shown"]
    assert f"{len(cra['not_shown'])} duties not shown" in said


def test_check_speaks_of_evidence_of_breach_and_never_of_the_law_being_kept(home: Home) -> None:
    text = troth(home[0], "check").stdout.decode()
    assert "uk-psti: evidence of breach" in text
    assert "eu-cra: no evidence of breach" in text
    assert "complies" not in text


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (("device", "show", "nobody"), "device.unknown", 2),
        (("evidence", "show", "999"), "evidence.unknown", 2),
        (("duty", "show", "none"), "duty.unknown", 2),
        (("check", "--regime", "none"), "regime.unknown", 2),
        (("check", "nobody"), "device.unknown", 2),
        (("--db", "sqlite:///nowhere.db", "device", "list"), "store.missing", 2),
    ],
)
def test_what_cannot_be_done_is_told_with_code_and_remedy(
    home: Home, words: tuple[str, ...], said: str, code: int
) -> None:
    done = troth(home[0], *words)
    assert done.returncode == code
    assert f"error[{said}]" in done.stderr.decode()
    assert not done.stdout
    assert b"Traceback" not in done.stderr


def evidence_of(home: Home, name: str) -> tuple[int, bytes]:
    _, fleet = home
    row = fleet.store.latest_evidence(fleet.units[name].row.id)
    assert row
    return row.id, row.raw


def test_diff_and_page_name_the_same_claims(home: Home) -> None:
    ident, _ = evidence_of(home, "therm-03")
    found = document(troth(home[0], "evidence", "diff", str(ident), "--json"))
    differing = {row["claim"] for row in found["claims"] if row["match"] == "differs"}
    assert differing == {"d.code_digest", "d.webrepl_on", "d.cfg_digest"}
    text = troth(home[0], "evidence", "diff", str(ident)).stdout.decode()
    assert "≠ differs" in text
    assert "d.jtag" not in text


def test_evidence_comes_out_raw_and_goes_back_in(home: Home) -> None:
    ident, raw = evidence_of(home, "therm-01")
    shown = troth(home[0], "evidence", "show", str(ident), "--raw")
    assert shown.stdout == raw
    again = troth(home[0], "evidence", "verify", "-", "--json", stdin=shown.stdout)
    found = document(again)
    assert again.returncode == 0
    assert list(found) == [
        "schema",
        "outcome",
        "code",
        "path",
        "offset",
        "device",
        "state",
        "duties",
        "fresh",
        "engine",
        "catalogue",
        "references",
        "duty_set",
        "regimes",
        "binds",
    ]
    assert found["schema"] == "troth/verify/1"
    assert set(found["binds"]) <= set(found["duties"])  # no duty of its set is left out
    assert len(found["catalogue"]) == len(found["references"]) == len(found["duty_set"]) == 64
    assert (found["outcome"], found["state"], found["fresh"]) == ("accepted", "compliant", None)
    assert (found["code"], found["path"], found["offset"]) == (None, None, None)
    assert len(found["duties"]) == len(bundled().duties)


def flipped(raw: bytes) -> bytes:
    return raw[:-70] + bytes([raw[-70] ^ 1]) + raw[-69:]


@pytest.mark.parametrize(
    ("name", "change", "more", "code", "exit_code"),
    [
        ("therm-03", None, (), None, 3),
        ("therm-01", lambda raw: b"", (), "cbor.truncated", 4),
        ("therm-01", lambda raw: raw[:-9], (), "cbor.truncated", 4),
        ("therm-01", lambda raw: raw + b"\0", (), "cbor.trailing", 4),
        ("therm-01", lambda raw: bytes(20_000), (), "size.limit", 4),
        ("therm-01", lambda raw: flipped(raw), (), None, 4),
        ("therm-01", None, ("--nonce", "00" * 32), "nonce.replayed", 4),
    ],
    ids=["faulty", "empty", "cut", "longer", "oversize", "bit-flipped", "foreign-nonce"],
)
def test_verify_judges_any_bytes(home: Home, name, change, more, code, exit_code) -> None:
    _, raw = evidence_of(home, name)
    done = troth(
        home[0], "evidence", "verify", "-", *more, "--json", stdin=change(raw) if change else raw
    )
    found = document(done)
    assert done.returncode == exit_code
    if exit_code == 4:
        assert found["outcome"] == "rejected"
        assert found["fix"]
        assert found["state"] is None
        assert found["duties"] == {}
    if code:
        assert found["code"] == code


def test_the_right_nonce_makes_it_fresh(home: Home) -> None:
    ident, raw = evidence_of(home, "therm-01")
    shown = document(troth(home[0], "evidence", "show", str(ident), "--json"))
    words = ("--nonce", shown["nonce"], "--at", shown["received"])
    done = troth(home[0], "evidence", "verify", "-", *words, "--json", stdin=raw)
    assert document(done)["fresh"] is True
    assert done.returncode == 0


def test_a_bare_token_needs_its_set_or_a_store_that_knows_it(home: Home, tmp_path: Path) -> None:
    folder, fleet = home
    device = fleet.units["therm-01"].device
    known = device.token(bytes(32), uptime=3_000_000)
    assert troth(folder, "evidence", "verify", "-", "--json", stdin=known).returncode == 0
    other = device.set(wifi_auth="wpa3")
    bare = device.token(bytes(32), cfg=other, uptime=3_000_000)
    done = troth(folder, "evidence", "verify", "-", stdin=bare)
    assert done.returncode == 2
    assert b"evidence.set-unknown" in done.stderr
    (tmp_path / "set.cbor").write_bytes(other)
    words = ("--set", str(tmp_path / "set.cbor"))
    assert troth(folder, "evidence", "verify", "-", *words, stdin=bare).returncode == 0
    (tmp_path / "set.cbor").write_bytes(device.set())
    wrong = troth(folder, "evidence", "verify", "-", *words, "--json", stdin=bare)
    assert document(wrong)["code"] == "set.mismatch"
    assert wrong.returncode == 4


def test_verify_records_nothing(home: Home) -> None:
    folder, fleet = home
    before = (len(fleet.store.rejections(limit=1000)), fleet.store.audit(limit=1000)[-1].id)
    troth(folder, "evidence", "verify", "-", stdin=b"\xd2\x84")
    after = (len(fleet.store.rejections(limit=1000)), fleet.store.audit(limit=1000)[-1].id)
    assert before == after


def test_verify_works_far_from_home_with_a_copy_of_the_store(home: Home, tmp_path: Path) -> None:
    _, raw = evidence_of(home, "therm-03")
    words = ("evidence", "verify", "-", "--db", f"sqlite:///{home[0] / 'troth.db'}", "--json")
    done = troth(tmp_path, *words, stdin=raw)
    assert done.returncode == 3


def test_a_store_in_another_home_is_judged_by_the_policy_of_that_home(
    home: Home, tmp_path: Path
) -> None:
    folder, fleet = home
    raw = fleet.units["therm-01"].device.bundle(bytes(32), uptime=3_000_000)
    words = ("evidence", "verify", "-", "--db")
    there = troth(tmp_path, *words, f"sqlite:///{folder / 'troth.db'}", stdin=raw)
    assert there.returncode == 0
    with sqlite3.connect(folder / "troth.db") as source:
        source.backup(sqlite3.connect(tmp_path / "copy.db"))
    alone = troth(tmp_path, *words, f"sqlite:///{tmp_path / 'copy.db'}", stdin=raw)
    assert alone.returncode == 5  # nobody says there which trust anchors are approved
    assert b"? comm.own-trust-anchor" in alone.stdout
    assert b"default policy" in alone.stderr


def test_a_bare_report_is_judged_again_by_the_commands_that_show_prints(
    home: Home, tmp_path: Path
) -> None:
    folder, _ = home
    ident, _ = evidence_of(home, "therm-01")
    shown = troth(folder, "evidence", "show", str(ident)).stdout.decode()
    export, verify = (line.split("again")[1] for line in shown.splitlines() if " again " in line)
    raw = troth(folder, *export.split(" > ")[0].split()[1:]).stdout
    (tmp_path / export.split(" > ")[1]).write_bytes(raw)
    with sqlite3.connect(folder / "troth.db") as source:
        source.backup(sqlite3.connect(tmp_path / "copy-of-troth.db"))
    shutil.copy(folder / "policy.toml", tmp_path)
    done = troth(tmp_path, *verify.split()[1:])
    assert (done.returncode, document(done)["fresh"]) == (0, True)


@pytest.mark.parametrize("words", [("--nonce", "xyz"), ("--at", "yesterday"), ("--set", "no-file")])
def test_verify_is_particular_about_its_options(home: Home, words: tuple[str, ...]) -> None:
    assert troth(home[0], "evidence", "verify", "-", *words).returncode == 2


def test_who_asked_for_json_gets_a_document_for_a_wrong_option_too(home: Home) -> None:
    done = troth(home[0], "evidence", "verify", "-", "--nonce", "xyz", "--json")
    said = json.loads(done.stdout)
    assert (said["schema"], said["code"], said["exit"]) == ("troth/error/1", "usage", 2)


def test_the_catalogue_lists_shows_and_tests_itself(home: Home, tmp_path: Path) -> None:
    listed = document(troth(tmp_path, "duty", "list", "--json"))
    assert listed["schema"] == "troth/duties/1"
    assert len(listed["duties"]) == len(bundled().duties)
    shown = document(troth(tmp_path, "--json", "duty", "show", "surface.no-webrepl"))
    assert shown["ok"] == "!d.webrepl_on"
    tested = document(troth(tmp_path, "duty", "test", "--json"))
    assert tested["failures"] == []
    assert tested["tests"] > 100


def test_help_of_an_operators_noun_does_not_load_the_store() -> None:
    code = (
        "import sys, importlib\n"
        "for noun in ('device', 'check', 'evidence', 'duty', 'doctor'):\n"
        "    importlib.import_module(f'troth.cli.{noun}')\n"
        "sys.exit('sqlalchemy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_reader_that_leaves_is_no_error(home: Home) -> None:
    line = f'"{sys.executable}" -m troth device list | head -1'
    done = subprocess.run(line, shell=True, cwd=home[0], capture_output=True, timeout=60)
    assert done.stdout.startswith(b"DEVICE")
    assert done.stderr == b""


def test_a_file_is_written_whole_or_left_as_it_was(tmp_path: Path) -> None:
    kept = tmp_path / "report.html"
    put_file(kept, b"first")
    assert kept.read_bytes() == b"first"

    def full() -> Iterator[bytes]:
        yield b"second"
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        put_pieces(kept, full())
    assert caught.value.filename == str(kept)
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
    assert kept.read_bytes() == b"first"
