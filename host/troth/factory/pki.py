"""Keys and certificates of a development home: one key per purpose, made once, never overwritten.

Certificate profiles are data (certs/profiles/*.toml); the ceremony is told in certs/README.md.
"""

from __future__ import annotations

import hashlib
import ipaddress
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..bundled import bundled
from ..trouble import Trouble
from .keys import make_key, public_pem, read_private_key, write_new

# purpose of each key -> the public half that is handed to other parties
PURPOSES = {
    "ca": "ca.pem",
    "server": "server.pem",
    "release": "release.pub",
    "ear": "ear.pub",
    "baseline": "baseline.pub",
}
_USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
    "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip
_EXTENDED = {
    "server_auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client_auth": ExtendedKeyUsageOID.CLIENT_AUTH,
}
_SKEW = timedelta(hours=1)  # a board whose clock is a little behind still believes it


@dataclass(frozen=True, slots=True)
class CertProfile:
    """What one kind of certificate says."""

    subject: str
    days: int
    ca: bool
    key_usage: tuple[str, ...]
    path_length: int | None = None
    extended_key_usage: tuple[str, ...] = ()
    dns_names: tuple[str, ...] = ()
    ip_addresses: tuple[str, ...] = ()


def read_profile(name: str, home: Path | None = None) -> CertProfile:
    """A profile of the home if it has one, else ours. Raises Trouble `config.cert-profile`."""
    own = home / "certs" / "profiles" / f"{name}.toml" if home else None
    path = own if own and own.is_file() else bundled("certs") / "profiles" / f"{name}.toml"
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
        values: dict[str, Any] = {
            key: tuple(value) if type(value) is list else value for key, value in said.items()
        }
        profile = CertProfile(**values)
        _check_profile(profile)
    except (OSError, ValueError, TypeError) as err:
        raise Trouble(
            "config.cert-profile",
            f"{path.name} is not a certificate profile",
            why=str(err),
            fix=f"edit {path}",
        ) from err
    return profile


def _check_profile(profile: CertProfile) -> None:
    if type(profile.days) is not int or not 1 <= profile.days <= 7300:
        raise ValueError("days: want 1 to 7300")
    if not set(profile.key_usage) <= set(_USAGES):
        raise ValueError(f"key_usage: want some of {', '.join(_USAGES)}")
    if not set(profile.extended_key_usage) <= set(_EXTENDED):
        raise ValueError(f"extended_key_usage: want some of {', '.join(_EXTENDED)}")
    for address in profile.ip_addresses:
        ipaddress.ip_address(address)


def make_pki(home: Path, *, now: datetime | None = None) -> tuple[str, ...]:
    """Make what is missing under certs/dev and name it; nothing that exists is touched."""
    keys = home / "certs" / "dev"
    keys.mkdir(parents=True, exist_ok=True, mode=0o700)
    keys.chmod(0o700)
    at = now or datetime.now(UTC)
    made = []
    for purpose, half in PURPOSES.items():
        # who has the public half alone does not hold this key, and must not seem to
        if not (keys / half).exists() and make_key(keys / f"{purpose}.key"):
            made.append(f"{purpose}.key")
        if half.endswith(".pub") and not (keys / half).exists():
            public = read_private_key(keys / f"{purpose}.key").public_key()
            write_new(keys / half, public_pem(public), 0o644)
            made.append(half)
    if not (keys / "ca.pem").exists():
        _make_cert(keys, "ca", read_profile("ca", home), at)
        made.append("ca.pem")
    if not (keys / "server.pem").exists():
        _make_cert(keys, "server", read_profile("server", home), at)
        made.append("server.pem")
    return tuple(made)


def read_cert_der(path: Path) -> bytes:
    """A certificate in PEM as the DER that boards pin."""
    try:
        cert = x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as err:
        raise Trouble(
            "key.missing", f"no certificate {path}", why=str(err.strerror), fix="troth init"
        ) from err
    except ValueError as err:
        raise Trouble(
            "key.kind", f"{path.name} is no certificate in PEM", fix=f"replace {path}"
        ) from err
    return cert.public_bytes(serialization.Encoding.DER)


def anchor(der: bytes) -> str:
    """The name of a trust anchor in policy.toml: SHA-256 of its DER."""
    return hashlib.sha256(der).hexdigest()


def ends(path: Path) -> int:
    """From when a certificate is worth nothing. Raises OSError or ValueError."""
    return int(x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc.timestamp())


def _make_cert(keys: Path, name: str, profile: CertProfile, at: datetime) -> None:
    key = read_private_key(keys / f"{name}.key")
    issuer_key = read_private_key(keys / "ca.key")
    subject = _name(profile.subject)
    issuer = subject
    if not profile.ca:
        issuer = x509.load_pem_x509_certificate((keys / "ca.pem").read_bytes()).subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - _SKEW)
        .not_valid_after(at + timedelta(days=profile.days))
    )
    for extension, critical in _extensions(profile, key, issuer_key):
        builder = builder.add_extension(extension, critical)
    cert = builder.sign(issuer_key, hashes.SHA256())
    write_new(keys / f"{name}.pem", cert.public_bytes(serialization.Encoding.PEM), 0o644)


def _extensions(
    profile: CertProfile,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
) -> list[tuple[x509.ExtensionType, bool]]:
    usage = {name: name in profile.key_usage for name in _USAGES}
    said: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(profile.ca, profile.path_length if profile.ca else None), True),
        (x509.KeyUsage(**usage), True),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False),
    ]
    if profile.extended_key_usage:
        purposes = [_EXTENDED[name] for name in profile.extended_key_usage]
        said.append((x509.ExtendedKeyUsage(purposes), False))
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in profile.dns_names]
    names += [x509.IPAddress(ipaddress.ip_address(item)) for item in profile.ip_addresses]
    if names:
        said.append((x509.SubjectAlternativeName(names), False))
    return said


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
