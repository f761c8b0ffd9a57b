"""What a board says of itself: on which facts it speaks, and on which it is silent."""

import hashlib
import json
import struct
import sys
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent_support import (
    MAC,
    NVS_KEYS,
    OTA_0,
    OTA_1,
    OTADATA,
    TYPE_APP,
    TYPE_DATA,
    FakeBoard,
    Flash,
    app_image,
    finish,
    plug_in,
    told,
)
from troth_agent import VERSION, Trouble, board, boot, claims, identity, image, loop, once, run

SETTINGS = {
    "oemid": b"\x0a\x1b\x2c",
    "hwmodel": "therm-v2",
    "swname": "thermostat",
    "swversion": "1.4.0",
    "interval_s": 4,
    "url": None,
    "ca": None,
    "scheme": None,
}
# SECURE_BOOT_EN of the esp32c3, and a digest in KEY1
SECURE_BOOT = {0x60008834: 9 << 28, 0x60008838: 1 << 20, 0x600088BC: 1}
FLASH_ENCRYPTION = {0x60008834: 1 << 18}


@pytest.fixture
def fake() -> Iterator[FakeBoard]:
    return plug_in(FakeBoard())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text("import troth_agent\n")
    return tmp_path


def facts(root: Path, **settings: Any) -> dict[str, Any]:
    return told(finish(board.Board(SETTINGS | settings, str(root)).steps()))


def ota_entry(sequence: int, state: int) -> bytes:
    return struct.pack("<I20sII", sequence, b"", state, 0).ljust(4096, b"\xff")


def ota_board(*entries: bytes, other: bytes = b"") -> FakeBoard:
    fake = FakeBoard()
    fake.app.subtype, fake.app.label = OTA_0, "ota_0"
    data = b"".join(entries).ljust(8192, b"\xff")
    fake.partitions += [
        Flash(TYPE_DATA, OTADATA, "otadata", data),
        Flash(TYPE_APP, OTA_1, "ota_1", other),
    ]
    return plug_in(fake)


def test_a_stock_board_says_what_it_knows(fake: FakeBoard, root: Path) -> None:
    said = facts(root)
    assert said["app_digest"] == app_image("esp32c3")[-32:]
    assert said["chip"] == "esp32c3"
    assert said["repl"] == "open"
    assert said["secure_boot"] is False
    assert (said["updatable"], said["ota_state"], said["fallback_slot"]) == (False, "none", "none")
    assert said["update_auth"] == "none"
    assert said["nvs_enc"] is False
    assert (said["wifi_joined"], said["ap_on"]) == (True, False)


def test_what_a_stock_board_cannot_know_is_absent(fake: FakeBoard, root: Path) -> None:
    said = facts(root)
    absent = {"wifi_auth", "ap_auth", "own_link_scheme", "own_tls_version", "agent_digest"}
    assert absent.isdisjoint(said)
    assert None not in said.values()


def test_the_image_is_measured_once_a_boot(fake: FakeBoard, root: Path) -> None:
    before = facts(root)["app_digest"]
    fake.app.data = app_image("esp32c3", b"other firmware").ljust(0x20000, b"\xff")
    assert facts(root)["app_digest"] == before
    plug_in(fake)
    assert facts(root)["app_digest"] == app_image("esp32c3", b"other firmware")[-32:]


def test_an_image_that_is_not_whole_is_an_error_not_a_digest(root: Path) -> None:
    plug_in(FakeBoard(image=b"\xe9\x01" + bytes(10) + b"\x05\0" + bytes(8) + b"\0\x01\xff\xff" * 9))
    with pytest.raises(Trouble) as trouble:
        facts(root)
    assert trouble.value.code == "image.broken"


def test_the_digest_is_recomputed_not_read_from_the_image() -> None:
    tampered = bytearray(app_image("esp32c3"))
    tampered[0x122] ^= 1
    fake = plug_in(FakeBoard(image=bytes(tampered)))
    running = boot_partition()
    measured = finish(image.measure(image.reader(running), running.info()[3]))
    assert measured is not None
    digest, agrees, _ = measured
    assert digest == hashlib.sha256(bytes(tampered)[:-32]).digest()
    assert not agrees
    assert fake.app.data.startswith(b"\xe9")


def boot_partition() -> Any:
    esp32 = sys.modules["esp32"]
    return esp32.Partition(esp32.Partition.RUNNING)


def test_an_image_without_a_hash_of_its_own_says_nothing_of_it(root: Path) -> None:
    bare = bytearray(app_image("esp32c3")[:-32])
    bare[23] = 0
    plug_in(FakeBoard(image=bytes(bare)))
    said = facts(root)
    assert said["app_digest"] == hashlib.sha256(bytes(bare)).digest()
    assert "app_intact" not in said


def test_what_is_measured_for_a_while_lets_others_in(fake: FakeBoard) -> None:
    fake.app.data = app_image("esp32c3", bytes(100_000)).ljust(0x20000, b"\xff")
    assert sum(1 for _ in boot.steps()) >= 100_000 // 16384
    assert not list(boot.steps())  # once a boot


@pytest.mark.parametrize("begin", [run, once])
def test_a_watchdog_is_fed_while_the_image_is_read(
    begin: Any, fake: FakeBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.app.data = app_image("esp32c3", bytes(100_000)).ljust(0x20000, b"\xff")
    fed: list[int] = []
    monkeypatch.setattr(loop, "run", lambda *_: fed.append(0))
    monkeypatch.setattr(loop, "finish", lambda *_: fed.append(0))
    begin(lambda: fed.append(1))
    assert sum(fed[:-1]) >= 100_000 // 16384
    assert fed[-1] == 0


def test_a_boot_that_is_being_measured_counts_once(fake: FakeBoard, root: Path) -> None:
    fake.app.data = app_image("esp32c3", bytes(100_000)).ljust(0x20000, b"\xff")
    beside = boot.steps()
    next(beside)
    assert board.Board(SETTINGS, str(root)).session()[267] == 1
    assert list(beside)
    assert boot.this().count == 1


LOADER = app_image("esp32c3", b"the boot loader")
ROWS = b"\xaa\x50" + bytes(30) + b"\xaa\x50" + bytes(30) + b"\xeb\xeb" + b"\xff" * 30


@pytest.mark.parametrize("at", [0x8000, 0x10000])
def test_the_boot_loader_and_the_partition_table_are_measured(
    at: int, fake: FakeBoard, root: Path
) -> None:
    fake.raw = LOADER.ljust(at, b"\xff") + ROWS.ljust(0xC00, b"\xff")
    said = facts(root)
    assert said["bootloader_digest"] == LOADER[-32:]
    assert said["partitions_digest"] == hashlib.sha256(ROWS).digest()


@pytest.mark.parametrize("raw", [b"", LOADER, LOADER.ljust(0x8000, b"\xff") + ROWS[:64]])
def test_without_a_table_neither_is_said(raw: bytes, fake: FakeBoard, root: Path) -> None:
    fake.raw = raw
    assert {"bootloader_digest", "partitions_digest"}.isdisjoint(facts(root))


def test_flash_encryption_hides_what_is_below_the_partitions(fake: FakeBoard, root: Path) -> None:
    fake.raw = LOADER.ljust(0x8000, b"\xff") + ROWS
    fake.fuses = dict(FLASH_ENCRYPTION)
    assert {"bootloader_digest", "partitions_digest"}.isdisjoint(facts(root))


def test_the_secure_version_comes_from_the_app_descriptor(root: Path) -> None:
    plug_in(FakeBoard(image=app_image("esp32c3", secure_version=3)))
    assert facts(root)["app_secver"] == 3


VALID = app_image("esp32c3", b"the other slot")
BROKEN = VALID[:-1] + bytes([VALID[-1] ^ 1])


@pytest.mark.parametrize(
    ("entries", "other", "state", "fallback"),
    [
        ([], b"", "undefined", "empty-fresh"),
        ([ota_entry(1, 2)], VALID, "valid", "valid"),
        ([ota_entry(1, 0)], VALID, "new", "valid"),
        ([ota_entry(1, 1)], VALID, "pending", "valid"),
        ([ota_entry(1, 0xFFFFFFFF)], VALID, "undefined", "valid"),
        ([ota_entry(1, 2), ota_entry(2, 3)], VALID, "valid", "invalid"),
        ([ota_entry(1, 2), ota_entry(2, 4)], VALID, "valid", "invalid"),
        ([ota_entry(3, 3), ota_entry(2, 2)], VALID, "invalid", "valid"),
        ([ota_entry(3, 4), ota_entry(1, 2)], VALID, "aborted", "valid"),
        ([ota_entry(1, 2)], BROKEN, "valid", "invalid"),
        ([ota_entry(1, 2)], b"\0" * 64, "valid", "invalid"),
    ],
)
def test_the_update_state_is_that_of_the_slot_that_runs(
    entries: list[bytes], other: bytes, state: str, fallback: str, root: Path
) -> None:
    ota_board(*entries, other=other)
    said = facts(root)
    assert (said["updatable"], said["ota_state"], said["fallback_slot"]) == (True, state, fallback)
    assert said["update_auth"] == "none"


def test_an_update_that_waits_for_a_restart_is_told(root: Path) -> None:
    fake = ota_board(ota_entry(1, 2), other=VALID)
    assert facts(root)["reboot_pending"] is False
    fake.next_boot = fake.partitions[-1]
    boot._this.clear()
    assert facts(root)["reboot_pending"] is True


@pytest.mark.parametrize(
    ("other", "possible"),
    [(VALID, False), (app_image("esp32c3", secure_version=2), True), (b"", False)],
    ids=["older than the fuses allow", "as new", "none"],
)
def test_a_way_back_is_one_that_the_fuses_allow(other: bytes, possible: bool, root: Path) -> None:
    ota_board(ota_entry(1, 2), other=other).fuses = {0x6000883C: 3 << 14}  # SECURE_VERSION 2
    assert facts(root)["rollback_possible"] is possible


def test_bluetooth_is_on_when_its_stack_runs(fake: FakeBoard, root: Path) -> None:
    assert facts(root)["ble_on"] is False
    fake.ble_active = True
    assert facts(root)["ble_on"] is True


def test_the_agent_says_which_it_is_and_where_it_lies(
    fake: FakeBoard, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = facts(root)
    assert (said["agent_version"], said["agent_frozen"]) == (VERSION, False)
    monkeypatch.setattr(identity, "__file__", "troth_agent/identity.py")
    assert facts(root)["agent_frozen"] is True


def test_secure_boot_authenticates_updates_where_there_are_any(root: Path) -> None:
    ota_board().fuses = dict(SECURE_BOOT)
    assert facts(root)["update_auth"] == "secure-boot"
    plug_in(FakeBoard()).fuses = dict(SECURE_BOOT)
    assert facts(root)["update_auth"] == "none"


@pytest.mark.parametrize(
    ("fuses", "keys", "said"),
    [({}, False, False), ({}, True, False), (FLASH_ENCRYPTION, True, True)],
)
def test_nvs_is_encrypted_by_keys_under_flash_encryption(
    fuses: dict[int, int], keys: bool, said: bool, fake: FakeBoard, root: Path
) -> None:
    fake.fuses = dict(fuses)
    if keys:
        fake.partitions.append(Flash(TYPE_DATA, NVS_KEYS, "nvs_keys", encrypted=True))
    assert facts(root)["nvs_enc"] is said


def test_a_board_that_cannot_tell_how_nvs_is_kept_says_nothing_of_it(
    fake: FakeBoard, root: Path
) -> None:
    fake.fuses = dict(FLASH_ENCRYPTION)
    said = facts(root)
    assert "nvs_enc" not in said
    assert "plain_secrets" not in said


def test_plain_secrets_are_the_own_key_and_literals_in_files(fake: FakeBoard, root: Path) -> None:
    assert facts(root)["plain_secrets"] == 1
    (root / "webrepl_cfg.py").write_text("PASS = 'camera12'\n")
    assert facts(root)["plain_secrets"] == 2


def test_encrypted_storage_leaves_no_secret_plain(fake: FakeBoard, root: Path) -> None:
    (root / "webrepl_cfg.py").write_text("PASS = 'camera12'\n")
    fake.fuses = dict(FLASH_ENCRYPTION)
    fake.partitions[2].encrypted = True
    fake.partitions.append(Flash(TYPE_DATA, NVS_KEYS, "nvs_keys", encrypted=True))
    assert facts(root)["plain_secrets"] == 0


@pytest.mark.parametrize(
    ("names", "on"),
    [
        (None, False),
        ({}, False),
        ({"listen_s": None, "client_s": None}, False),
        ({"listen_s": object(), "client_s": None}, True),
        ({"listen_s": None, "client_s": object()}, True),
    ],
    ids=["not imported", "imported", "stopped", "listening", "in use"],
)
def test_webrepl_is_on_while_it_listens(
    names: dict[str, object] | None,
    on: bool,
    fake: FakeBoard,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if names is not None:
        module = types.ModuleType("webrepl")
        vars(module).update(names)
        monkeypatch.setitem(sys.modules, "webrepl", module)
    said = facts(root)
    assert said["webrepl_on"] is on
    assert said["cfg_digest"] == claims.settings_digest(4, "https", on, None)


@pytest.mark.parametrize(
    ("mode", "word"),
    [(0, "open"), (3, "wpa2"), (6, "wpa3"), (7, "wpa2-wpa3"), (15, "wpa2-wpa3-ent")],
)
def test_an_access_point_is_named_by_its_security(
    mode: int, word: str, fake: FakeBoard, root: Path
) -> None:
    fake.ap_active, fake.ap_security = True, mode
    said = facts(root)
    assert (said["ap_on"], said["ap_auth"]) == (True, word)
    assert said["cfg_digest"] == claims.settings_digest(4, "https", False, word)


def test_an_access_point_of_unknown_security_is_not_taken_for_none(
    fake: FakeBoard, root: Path
) -> None:
    fake.ap_active, fake.ap_security = True, 99
    said = facts(root)
    assert said["ap_on"] is True
    assert "ap_auth" not in said
    assert "cfg_digest" not in said


def test_the_own_link_is_told_with_its_anchor_and_last_handshake(
    fake: FakeBoard, root: Path
) -> None:
    (root / "ca.der").write_bytes(b"a certificate")
    link = {"url": "https://127.0.0.1:1", "ca": "/ca.der", "scheme": "https"}
    said = facts(root, **link)
    assert (said["own_link_scheme"], said["own_link_verified"]) == ("https", True)
    assert said["own_link_anchor"] == hashlib.sha256(b"a certificate").digest()
    assert "own_tls_version" not in said
    fake.nvs["troth", "tls"] = 13
    assert facts(root, **link)["own_tls_version"] == "1.3"


def test_a_missing_ca_file_is_named(fake: FakeBoard, root: Path) -> None:
    with pytest.raises(Trouble) as trouble:
        facts(root, url="https://x", ca="/ca.der", scheme="https")
    assert (trouble.value.code, "/ca.der" in trouble.value.text) == ("settings.ca", True)


def test_a_boot_is_counted_once_and_has_one_seed(fake: FakeBoard, root: Path) -> None:
    def session() -> dict[int, Any]:
        said: dict[int, Any] = board.Board(SETTINGS, str(root)).session()
        return said

    first, again = session(), session()
    assert first[267] == again[267] == 1
    assert first[268] == again[268]
    assert again[-80002] == first[-80002] + 1
    assert first[256] == b"\2" + MAC
    boot._this.clear()
    second = session()
    assert second[267] == 2
    assert second[268] != first[268]
    assert second[-80002] == 1


def test_uptime_goes_on_when_the_tick_counter_wraps(
    fake: FakeBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 2**30 - 5000
    monkeypatch.setattr(time, "ticks_ms", lambda: now % 2**30)
    monkeypatch.setattr(time, "ticks_diff", lambda a, b: (a - b + 2**29) % 2**30 - 2**29)
    this = boot.Boot()
    for wanted in (10, 20, 30):
        now += 10_000
        assert this.uptime_s() == wanted


@pytest.mark.parametrize(
    ("year", "epoch", "said"), [(2000, 1970, False), (2026, 1970, True), (2026, 2000, True)]
)
def test_the_time_is_told_only_by_a_clock_that_was_set(
    year: int, epoch: int, said: bool, fake: FakeBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    unix = 1_790_000_000
    monkeypatch.setattr(time, "gmtime", lambda t=None: (epoch if t == 0 else year,))
    monkeypatch.setattr(time, "time", lambda: unix - (946_684_800 if epoch == 2000 else 0))
    assert board.Board(SETTINGS).session().get(6) == (unix if said else None)


def test_a_build_is_hardened_only_when_agent_and_mark_lie_in_the_image(
    fake: FakeBoard, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert not identity.hardened()
    mark = types.ModuleType("troth_build")
    mark.__file__ = "troth_build.py"
    monkeypatch.setitem(sys.modules, "troth_build", mark)
    assert not identity.hardened()  # the agent itself is a file
    monkeypatch.setattr(identity, "__file__", "troth_agent/identity.py")
    assert identity.hardened()
    mark.__file__ = str(tmp_path / "troth_build.py")
    Path(mark.__file__).write_text("")
    assert not identity.hardened()  # anybody can write such a file


def test_a_board_is_sealed_only_on_a_hardened_build(
    fake: FakeBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.nvs["troth", "sealed"] = 1
    assert not identity.sealed()
    build = types.ModuleType("troth_build")
    monkeypatch.setitem(sys.modules, "troth_build", build)
    monkeypatch.setattr(identity, "hardened", lambda: True)
    assert identity.prompt() == "sealed"
    fake.nvs.clear()
    assert identity.prompt() == "open"
    build.PROMPT = False  # type: ignore[attr-defined]
    assert identity.prompt() == "absent"


def test_an_unchanged_number_is_not_written_again(fake: FakeBoard) -> None:
    from troth_agent import nvs

    nvs.remember("tls", 13)
    written = json.dumps([list(key) for key in fake.nvs])
    fake.nvs = _ReadOnly(fake.nvs)
    nvs.remember("tls", 13)
    assert json.dumps([list(key) for key in fake.nvs]) == written


class _ReadOnly(dict[tuple[str, str], Any]):
    def __setitem__(self, key: tuple[str, str], value: Any) -> None:
        raise AssertionError("written")
