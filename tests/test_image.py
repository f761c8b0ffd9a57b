"""App images are read, never believed: digest, checksum and signatures are recomputed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_support import app_image
from forked import tool
from troth.factory.image import FROZEN_AGENT, read_image
from troth.trouble import Trouble

IMAGE = app_image("esp32c3", b"MicroPython v1.29.0" + bytes(5000), secure_version=3)


def test_the_digest_is_of_everything_before_the_appended_hash() -> None:
    app = read_image(IMAGE)
    assert app.digest == hashlib.sha256(IMAGE[:-32]).hexdigest()
    assert (app.chip, app.secure_version) == ("esp32c3", 3)
    assert (app.boot_key_digests, app.frozen_agent) == ((), False)


def test_a_frozen_agent_is_seen_by_its_path() -> None:
    assert read_image(app_image("esp32s3", FROZEN_AGENT + b"\0")).frozen_agent


def test_what_lies_behind_the_image_in_its_partition_is_no_part_of_it() -> None:
    assert read_image(IMAGE + b"\xff" * 9000).digest == read_image(IMAGE).digest


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xe9" + bytes(10), id="header-cut-off"),
        pytest.param(b"\x7fELF" + bytes(100), id="another-format"),
        pytest.param(IMAGE[:400], id="segment-cut-off"),
        pytest.param(IMAGE[:200] + b"\x01" + IMAGE[201:], id="bit-turned"),
        pytest.param(IMAGE[:-1] + bytes([IMAGE[-1] ^ 1]), id="appended-hash-turned"),
        pytest.param(IMAGE[:12] + b"\x77" + IMAGE[13:], id="unknown-chip"),
    ],
)
def test_a_broken_image_is_refused(raw: bytes) -> None:
    with pytest.raises(Trouble) as caught:
        read_image(raw)
    assert caught.value.code == "release.image"


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, len(IMAGE) - 1))
def test_any_bytes_give_an_image_or_its_own_trouble(noise: bytes, at: int) -> None:
    raw = IMAGE[:at] + noise + IMAGE[at + len(noise) :]
    code = ""
    try:
        read_image(raw)
    except Trouble as err:
        code = err.code
    assert code in ("", "release.image", "release.image-signature")


@pytest.fixture(scope="module", params=["rsa3072", "ecdsa256"])
def signed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image signed by Espressif's own tool, with the digest that it would burn."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "app.bin").write_bytes(IMAGE)
    for words in (
        ["generate-signing-key", "--version", "2", "--scheme", request.param, "key.pem"],
        ["sign-data", "--version", "2", "--keyfile", "key.pem", "--output", "out.bin", "app.bin"],
        ["digest-sbv2-public-key", "--keyfile", "key.pem", "--output", "digest.bin"],
    ):
        tool("espsecure", *words, cwd=folder)
    return folder


def test_the_signer_is_named_as_the_fuses_name_it(signed: Path) -> None:
    app = read_image((signed / "out.bin").read_bytes())
    assert app.boot_key_digests == ((signed / "digest.bin").read_bytes().hex(),)
    assert app.digest == read_image(IMAGE).digest


@pytest.mark.parametrize("place", [8192 + 4, 8192 + 60, 8192 + 900, 8192 + 1197])
def test_a_touched_signature_block_is_refused(signed: Path, place: int) -> None:
    raw = bytearray((signed / "out.bin").read_bytes())
    raw[place] ^= 1
    with pytest.raises(Trouble) as caught:
        read_image(bytes(raw))
    assert caught.value.code == "release.image-signature"
