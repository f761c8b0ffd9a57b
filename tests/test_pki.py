"""Keys and certificates of a home: one per purpose, made once, read with care."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

import forge
from troth.factory.keys import key_id, read_private_key, read_public_key
from troth.factory.pki import PURPOSES, anchor, make_pki, read_cert_der, read_profile
from troth.trouble import Trouble


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_pki(tmp_path)
    return tmp_path


def test_every_purpose_has_a_key_of_its_own(home: Path) -> None:
    keys = home / "certs" / "dev"
    ids = {key_id(read_private_key(keys / f"{name}.key").public_key()) for name in PURPOSES}
    assert len(ids) == len(PURPOSES)


def test_nobody_else_can_read_a_key(home: Path) -> None:
    keys = home / "certs" / "dev"
    assert keys.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in keys.glob("*.key")} == {0o600}


def test_a_second_run_changes_no_byte(home: Path) -> None:
    files = sorted((home / "certs" / "dev").iterdir())
    before = [path.read_bytes() for path in files]
    assert make_pki(home) == ()
    assert [path.read_bytes() for path in files] == before


def test_a_missing_certificate_is_made_anew_with_the_same_key(home: Path) -> None:
    (home / "certs/dev/server.pem").unlink()
    assert make_pki(home) == ("server.pem",)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
        home / "certs/dev/server.pem", home / "certs/dev/server.key"
    )


def test_who_has_a_public_half_alone_gets_no_private_key(home: Path) -> None:
    (home / "certs/dev/release.key").unlink()
    assert make_pki(home) == ()
    with pytest.raises(Trouble) as caught:
        read_private_key(home / "certs/dev/release.key")
    assert caught.value.code == "key.missing"


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_the_server_is_believed_under_the_ca(home: Path, name: str) -> None:
    import ipaddress

    ca, server = (
        x509.load_pem_x509_certificate((home / f"certs/dev/{file}.pem").read_bytes())
        for file in ("ca", "server")
    )
    subject: x509.DNSName | x509.IPAddress = x509.DNSName(name)
    if name[0].isdigit():
        subject = x509.IPAddress(ipaddress.ip_address(name))
    PolicyBuilder().store(Store([ca])).build_server_verifier(subject).verify(server, [])


def test_certificates_say_what_their_profiles_say(home: Path) -> None:
    profile = read_profile("server")
    cert = x509.load_pem_x509_certificate((home / "certs/dev/server.pem").read_bytes())
    assert cert.subject.rfc4514_string() == f"CN={profile.subject}"
    assert (cert.not_valid_after_utc - cert.not_valid_before_utc).days == profile.days
    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert tuple(names.get_values_for_type(x509.DNSName)) == profile.dns_names


def test_a_home_may_bring_its_own_profile(tmp_path: Path) -> None:
    own = tmp_path / "certs" / "profiles" / "ca.toml"
    own.parent.mkdir(parents=True)
    own.write_text('subject = "Ours"\ndays = 30\nca = true\nkey_usage = ["key_cert_sign"]\n')
    make_pki(tmp_path)
    cert = x509.load_pem_x509_certificate((tmp_path / "certs/dev/ca.pem").read_bytes())
    assert cert.subject.rfc4514_string() == "CN=Ours"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("subject = ", id="no-toml"),
        pytest.param('subject = "x"\ndays = 9\nca = true\nkey_usage = []\nx = 1', id="unknown-key"),
        pytest.param('subject = "x"\ndays = 0\nca = true\nkey_usage = []', id="no-days"),
        pytest.param('subject = "x"\ndays = 9\nca = true\nkey_usage = ["fly"]', id="unknown-usage"),
    ],
)
def test_a_bad_profile_is_refused(tmp_path: Path, text: str) -> None:
    own = tmp_path / "certs" / "profiles" / "ca.toml"
    own.parent.mkdir(parents=True)
    own.write_text(text)
    with pytest.raises(Trouble) as caught:
        make_pki(tmp_path)
    assert caught.value.code == "config.cert-profile"


def test_the_anchor_is_the_digest_of_the_der(home: Path) -> None:
    import hashlib

    der = read_cert_der(home / "certs/dev/ca.pem")
    assert anchor(der) == hashlib.sha256(der).hexdigest()


def test_a_key_that_others_can_read_is_not_used(home: Path) -> None:
    key = home / "certs/dev/ear.key"
    key.chmod(0o644)
    with pytest.raises(Trouble) as caught:
        read_private_key(key)
    assert caught.value.code == "key.exposed"


@pytest.mark.parametrize("name", ["ear", "server"])
def test_a_lost_key_is_made_again_when_its_remedy_is_followed(home: Path, name: str) -> None:
    key = home / f"certs/dev/{name}.key"
    key.unlink()
    with pytest.raises(Trouble) as caught:
        read_private_key(key)
    assert make_pki(home) == ()  # a public half alone may be all that this home should hold
    (_, left) = caught.value.fix.split("rm ")
    Path(left.partition(",")[0]).unlink()
    make_pki(home)
    read_private_key(key)


def test_a_public_key_that_is_none(home: Path) -> None:
    (home / "certs/dev/release.pub").write_text("no key")
    with pytest.raises(Trouble) as caught:
        read_public_key(home / "certs/dev", "release")
    assert caught.value.code == "key.kind"


def test_a_key_is_named_by_its_cose_thumbprint() -> None:
    device = forge.Device(1)
    assert key_id(device.private_key.public_key()) == device.key_id
