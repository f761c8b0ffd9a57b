"""Releases: one signed record, one door, and the command that makes, lists and withdraws them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import cbor2
import pycddl
import pytest
from click.testing import CliRunner, Result

import forge
from agent_support import app_image
from forked import run
from troth.cli import root
from troth.factory import manifest, signed
from troth.factory.home import make_home
from troth.factory.image import FROZEN_AGENT
from troth.factory.keys import read_private_key, read_public_key
from troth.factory.release import draft_release, read_release
from troth.store import Store
from troth.trouble import Trouble

IMAGE = app_image("esp32c3", b"stock")
P2_IMAGE = app_image("esp32c3", FROZEN_AGENT + b"\0", secure_version=2)
SETTINGS = {
    "oemid": "0a1b2c",
    "hwmodel": "therm-v2",
    "swname": "thermostat",
    "swversion": "1.4.0",
    "interval_s": 4,
    "services": {"webrepl": False, "ap": None},
}
FILES = {"/troth.json": json.dumps(SETTINGS).encode(), "/main.py": b"import troth_agent\n"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_home(tmp_path / "home")
    Store.open(f"sqlite:///{tmp_path}/home/troth.db", create=True).close()
    product = tmp_path / "files"
    product.mkdir()
    for path, text in FILES.items():
        (product / path[1:]).write_bytes(text)
    (tmp_path / "app.bin").write_bytes(P2_IMAGE)
    (tmp_path / "s.toml").write_text('support_url = "https://a.example/"\nmarkets = ["eu"]\n')
    return tmp_path / "home"


def troth(home: Path, *words: str) -> Result:
    return CliRunner().invoke(root, ["--home", str(home), *words], standalone_mode=False)


def add(home: Path, *words: str, version: str = "1.4.0") -> dict[str, Any]:
    at = home.parent
    done = troth(
        home, "release", "add", f"{at}/app.bin", "--files", f"{at}/files", "--version", version,
        "--statement", f"{at}/s.toml", "--json", *words,
    )  # fmt: skip
    if done.exception:
        raise done.exception
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def draft(image: bytes = P2_IMAGE, files: dict[str, bytes] = FILES, **more: Any) -> dict[str, Any]:
    return dict(draft_release(image, files, version="1.4.0", released=1, **more).said)


def test_digests_are_those_of_the_wire_agreement() -> None:
    said = draft()
    code = {"/main.py": hashlib.sha256(FILES["/main.py"]).digest()}
    cfg = {"ap": None, "interval_s": 4, "scheme": "https", "webrepl": False}
    assert said["app_digest"] == hashlib.sha256(P2_IMAGE[:-32]).digest()
    assert said["code_digest"] == hashlib.sha256(forge.cbor(code)).digest()
    assert said["cfg_digest"] == hashlib.sha256(forge.cbor(cfg)).digest()


def test_a_stock_image_counts_the_agent_among_the_code() -> None:
    files = FILES | manifest.agent_tree()
    assert draft(IMAGE)["code_digest"] == draft(IMAGE, files)["code_digest"]
    assert draft(IMAGE)["code_digest"] != draft(P2_IMAGE)["code_digest"]


def test_an_agent_that_the_product_brings_along_is_the_one_that_counts() -> None:
    files = FILES | {f"{manifest.AGENT}/__init__.py": b"# mine"}
    assert len(manifest.board_tree(files, frozen=False)) == len(files)


def test_data_files_are_not_in_the_code_digest() -> None:
    assert draft(files=FILES | {"/data.csv": b"1"})["code_digest"] == draft()["code_digest"]


def test_anti_rollback_is_read_off_the_image_unless_told_otherwise() -> None:
    assert draft()["anti_rollback"] is True
    assert draft(IMAGE)["anti_rollback"] is False
    assert draft(anti_rollback=False)["anti_rollback"] is False


def test_a_shipped_password_is_counted() -> None:
    assert draft()["secret_hits"] == 0
    assert draft(files=FILES | {"/webrepl_cfg.py": b"PASS = 'camera12'"})["secret_hits"] == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({"interval_s": 0}, "file.settings", id="interval"),
        pytest.param({"hwmodel": ""}, "file.settings", id="model"),
        pytest.param({"oemid": "xyz123"}, "file.settings", id="oemid"),
        pytest.param({"services": {"ap": "wpa9"}}, "file.settings", id="ap"),
        pytest.param({"signer": "tpm"}, "file.settings", id="signer"),
        pytest.param({"services": []}, "file.settings", id="services"),
    ],
)
def test_settings_that_the_agent_would_refuse_are_refused(
    change: dict[str, Any], code: str
) -> None:
    with pytest.raises(Trouble) as caught:
        draft(files={"/troth.json": json.dumps(SETTINGS | change).encode()})
    assert caught.value.code == code


def test_the_record_gives_the_release_back(home: Path) -> None:
    said = add(home, "--released", "2026-10-09T00:00:00Z")
    assert (said["model"], said["chip"], said["version"]) == ("therm-v2", "esp32c3", "1.4.0")
    assert said["released"] == "2026-10-09T00:00:00Z"
    assert said["secure_version"] == 2
    assert said["statement"] == {"support_url": "https://a.example/", "markets": ["eu"]}
    assert said["added"] is True


def test_the_same_again_is_no_second_release(home: Path) -> None:
    first, second = add(home), add(home)
    assert (second["added"], second["id"]) == (False, first["id"])
    listed = json.loads(troth(home, "release", "list", "--json").stdout)
    assert [row["id"] for row in listed["releases"]] == [first["id"]]


def test_a_withdrawn_release_stays_withdrawn(home: Path) -> None:
    said = add(home, "--released", "2026-10-09T00:00:00Z")
    done = json.loads(troth(home, "--json", "release", "withdraw", "therm-v2@1.4.0").stdout)
    assert done["withdrawn"]
    with pytest.raises(Trouble) as caught:
        add(home, "--released", "2026-10-09T00:00:00Z")
    assert caught.value.code == "release.withdrawn"
    shown = json.loads(troth(home, "release", "show", said["id"][:10], "--json").stdout)
    assert shown["withdrawn"] == done["withdrawn"]


def test_a_record_travels_to_another_home_that_trusts_the_maker(home: Path, tmp_path: Path) -> None:
    said = add(home)
    troth(home, "release", "show", said["id"], "--record", f"{tmp_path}/r.cose")
    other = tmp_path / "other"
    make_home(other)
    Store.open(f"sqlite:///{other}/troth.db", create=True).close()
    refused = troth(other, "release", "add", f"{tmp_path}/r.cose").exception
    assert isinstance(refused, Trouble)
    assert refused.code == "release.signature"
    keys = "certs/dev"
    (other / keys / "release.pub").write_bytes((home / keys / "release.pub").read_bytes())
    taken = troth(other, "release", "add", f"{tmp_path}/r.cose", "--json")
    assert json.loads(taken.stdout)["id"] == said["id"]


def _forged(home: Path) -> dict[str, bytes]:
    """Records that are nearly right."""
    keys = home / "certs/dev"
    key, other = (read_private_key(keys / f"{name}.key") for name in ("release", "ear"))
    good = signed.sign_record(draft(), "release", key)
    tag = cbor2.loads(good)
    protected, unprotected, payload, signature = tag.value

    def again(*parts: Any) -> bytes:
        return cbor2.dumps(cbor2.CBORTag(18, list(parts)))

    s = forge.N - int.from_bytes(signature[32:], "big")
    twin = signature[:32] + s.to_bytes(32, "big")
    changed = cbor2.dumps({**cbor2.loads(payload), "version": "9.9.9"}, canonical=True)
    return {
        "release.unsigned": payload,
        "release.unsigned ": b"no record at all",
        "release.unsigned  ": again(protected, unprotected, payload),
        "release.unsigned   ": good + b"\0",
        "release.unsigned    ": signed.sign_record(draft(), "withdrawal", key),
        "release.signature": signed.sign_record(draft(), "release", other),
        "release.signature ": again(protected, unprotected, changed, signature),
        "release.signature  ": again(protected, unprotected, payload, bytes(64)),
        "release.signature   ": again(protected, unprotected, payload, twin),
        "release.content": signed.sign_record({"model": "x"}, "release", key),
        "release.content ": signed.sign_record({**draft(), "released": "now"}, "release", key),
    }


def test_what_is_not_signed_by_the_maker_reaches_no_store(home: Path) -> None:
    trusted = read_public_key(home / "certs/dev", "release")
    for code, record in _forged(home).items():
        with pytest.raises(Trouble) as caught:
            read_release(record, trusted)
        assert caught.value.code == code.strip()
        (home.parent / "r.cose").write_bytes(record)
        assert troth(home, "release", "add", f"{home.parent}/r.cose").exception
    assert json.loads(troth(home, "release", "list", "--json").stdout)["releases"] == []


def test_records_are_what_their_cddl_says(home: Path) -> None:
    cddl = (Path(signed.__file__).parent / "records.cddl").read_text()
    # the validator cannot see into a bstr inside a tagged array: each layer by itself
    header, said = (
        pycddl.Schema(f"start = {rule}\n{cddl}") for rule in ("protected-header", "said")
    )
    add(home)
    troth(home, "release", "withdraw", "therm-v2@1.4.0", "--reason", "weak")
    with Store.open(f"sqlite:///{home}/troth.db") as store:
        (row,) = store.releases()
    assert row.withdrawal
    for record in (row.record, row.withdrawal):
        protected, unprotected, payload, signature = cbor2.loads(record).value
        header.validate_cbor(protected)
        said.validate_cbor(payload)
        assert (unprotected, len(signature)) == ({}, 64)
    with pytest.raises(pycddl.ValidationError):
        said.validate_cbor(cbor2.dumps({**draft(), "password": "camera12"}))


def test_a_statement_must_cover_the_model(home: Path) -> None:
    (home.parent / "s.toml").write_text('statement_models = ["cam-s3"]\n')
    with pytest.raises(Trouble) as caught:
        add(home)
    assert caught.value.code == "statement.model"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["show", "feed"], "release.unknown"),
        (["show", "a@1"], "release.unknown"),
        (["withdraw", "feed"], "release.unknown"),
        (["add", "none.bin"], "file.missing"),
    ],
)
def test_what_is_not_there_is_told(home: Path, words: list[str], code: str) -> None:
    err = troth(home, "release", *words).exception
    assert isinstance(err, Trouble)
    assert err.code == code


def test_two_chips_may_share_a_version_but_not_a_name(home: Path) -> None:
    add(home)
    (home.parent / "app.bin").write_bytes(app_image("esp32s3", FROZEN_AGENT))
    add(home)
    err = troth(home, "release", "show", "therm-v2@1.4.0").exception
    assert isinstance(err, Trouble)
    assert err.code == "release.ambiguous"


def test_a_full_disk_is_told_as_one(home: Path) -> None:
    add(home)
    words = ("release", "show", "therm-v2@1.4.0", "--record", "/dev/full")
    done = run("troth", "--home", str(home), *words)
    assert done.code == 2
    assert done.err.startswith("error[file.unusable] /dev/full: No space left on device")
    assert "fix:" in done.err


def test_a_file_that_is_no_image_is_called_so_when_an_image_was_meant(home: Path) -> None:
    (home.parent / "app.bin").write_bytes(b"hello")
    with pytest.raises(Trouble) as caught:
        add(home)
    assert caught.value.code == "release.image"


def test_a_slip_in_the_version_is_told(home: Path) -> None:
    words = ["release", "add", f"{home.parent}/app.bin", "--files", f"{home.parent}/files"]
    done = troth(home, *words, "--version", "9.9.9")
    assert "note: troth.json says 1.4.0, and so will every unit" in done.stderr
    assert "troth.json says" not in troth(home, *words, "--version", "1.4.0").stderr
