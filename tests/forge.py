"""A device made of bytes: keys, claims-sets, tokens and bundles, honest or with any part changed.

Written from troth.cddl alone, independently of agent/ and of the verifier's reader, so that the
three can be held against each other. Everything is deterministic: the same seed gives the same
key, and the same arguments give the same bytes (RFC 6979 signatures).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from troth.core.trust import MacKey, SignKey

N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # order of P-256
PROFILE = bytes.fromhex("6981bdd0fec4f4c4eaa983abbca18ef8eec7c95d")
PRIVATE = -80001
MEASURED = ("app_digest", "code_digest", "agent_digest", "bootloader_digest", "partitions_digest")
DROP = object()  # as a changed value: leave this claim out


@dataclass(frozen=True)
class Tag:
    number: int
    item: Any


@dataclass(frozen=True)
class Raw:
    """Bytes that stand in the message as they are, well-formed or not."""

    data: bytes


def head(major: int, n: int) -> bytes:
    if n < 24:
        return bytes([major << 5 | n])
    size = 1 if n < 1 << 8 else 2 if n < 1 << 16 else 4 if n < 1 << 32 else 8
    return bytes([major << 5 | {1: 24, 2: 25, 4: 26, 8: 27}[size]]) + n.to_bytes(size, "big")


def cbor(item: Any) -> bytes:
    """Deterministic CBOR (RFC 8949 section 4.2.1), for what evidence is made of."""
    if isinstance(item, Raw):
        return item.data
    if item is None:
        return b"\xf6"
    if isinstance(item, bool):
        return b"\xf5" if item else b"\xf4"
    if isinstance(item, int):
        return head(0, item) if item >= 0 else head(1, -1 - item)
    if isinstance(item, bytes):
        return head(2, len(item)) + item
    if isinstance(item, str):
        text = item.encode()
        return head(3, len(text)) + text
    if isinstance(item, (list, tuple)):
        return head(4, len(item)) + b"".join(map(cbor, item))
    if isinstance(item, dict):
        pairs = sorted((cbor(key), cbor(value)) for key, value in item.items())
        return head(5, len(pairs)) + b"".join(key + value for key, value in pairs)
    if isinstance(item, Tag):
        return head(6, item.number) + cbor(item.item)
    raise TypeError(f"no CBOR for {type(item).__name__}")


TOKEN_LABELS = {
    "iat": 6,
    "nonce": 10,
    "ueid": 256,
    "uptime": 261,
    "profile": 265,
    "submods": 266,
    "bootcount": 267,
    "bootseed": 268,
    "counter": -80002,
}
SET_LABELS = {
    "oemid": 258,
    "hwmodel": 259,
    "oemboot": 262,
    "dbgstat": 263,
    "swname": 270,
    "swversion": 271,
    "measurements": 273,
    "private": PRIVATE,
}
PRIVATE_LABELS = {
    name: label
    for label, name in enumerate(
        [
            "chip",
            "secure_boot",
            "secure_boot_digests",
            "key_slots_free",
            "flash_enc",
            "flash_enc_mode",
            "jtag",
            "dl_mode",
            "updatable",
            "update_auth",
            "ota_state",
            "fallback_slot",
            "secver_fuse",
            "app_secver",
            "webrepl_on",
            "repl",
            "ap_on",
            "ap_auth",
            "wifi_joined",
            "wifi_auth",
            "own_link_scheme",
            "own_link_verified",
            "own_tls_version",
            "own_link_anchor",
            "nvs_enc",
            "plain_secrets",
            "key_blocks_readable",
            "cfg_digest",
            "fuses",
            "declared",
            "elf_digest",
            "app_intact",
            "app_signers",
            "app_signed_digest",
            "app_version",
            "idf_version",
            "reboot_pending",
            "rollback_possible",
            "agent_version",
            "agent_frozen",
            "shadowed",
            "webrepl_cfg_present",
            "ble_on",
        ],
        start=1,
    )
}
DECLARED_LABELS = {
    name: label
    for label, name in enumerate(
        [
            "password_state",
            "factory_state",
            "has_network_login",
            "lockout",
            "lockout_max_tries",
            "net_config",
            "config_write_auth",
            "service_auth",
            "auth_algs",
            "algs",
            "services",
            "listeners",
            "links",
            "links_verified",
            "tls_min",
            "wifi_auth",
            "ble_pairing",
            "update_auth",
            "auto_update",
            "update_last_check",
            "telemetry",
            "sensors",
            "location_present",
            "erase_supported",
            "factory_reset",
            "wdt_on",
            "log_on",
            "time_synced",
            "cfg_survived_reboot",
        ],
        start=1,
    )
}


def digest_of(name: str) -> bytes:
    """A made-up SHA-256, told by its name."""
    return hashlib.sha256(name.encode()).digest()


def healthy(profile: str = "P2", chip: str = "esp32s3") -> dict[str, Any]:
    """What an honest board says when nothing is wrong with it, by the `d.` names."""
    said: dict[str, Any] = {
        "oemid": bytes.fromhex("8945ad"),
        "hwmodel": b"THERM-1",
        "swname": "therm",
        "swversion": ["1.4.2"],
        "app_digest": digest_of("app 1.4.2"),
        "code_digest": digest_of("code 1.4.2"),
        "agent_digest": digest_of("agent"),
        "chip": chip,
        "secure_boot": False,
        "flash_enc": False,
        "flash_enc_mode": "off",
        "jtag": "enabled",
        "dl_mode": "enabled",
        "updatable": True,
        "update_auth": "none",
        "ota_state": "none",
        "fallback_slot": "none",
        "secver_fuse": 0,
        "app_secver": 0,
        "webrepl_on": False,
        "repl": "open",
        "ap_on": False,
        "wifi_joined": True,
        "wifi_auth": "wpa2",
        "own_link_scheme": "https",
        "own_link_verified": True,
        "own_tls_version": "1.2",
        "own_link_anchor": digest_of("anchor"),
        "nvs_enc": False,
        "plain_secrets": 1,
        "key_blocks_readable": 0,
        "cfg_digest": digest_of("cfg 1.4.2"),
        "fuses": bytes(20),
    }
    if profile == "P2":
        del said["agent_digest"]  # frozen: the image's own digest covers it
        said |= {
            "oemboot": True,
            "dbgstat": 3,
            "secure_boot": True,
            "secure_boot_digests": [digest_of("maker boot key")],
            "key_slots_free": 0,
            "flash_enc": True,
            "flash_enc_mode": "release",
            "jtag": "disabled",
            "dl_mode": "secure",
            "update_auth": "secure-boot",
            "ota_state": "valid",
            "fallback_slot": "valid",
            "repl": "sealed",
            "nvs_enc": True,
            "plain_secrets": 0,
            "fuses": bytes.fromhex("8f01000000006d0000000e801c00000044003000"),
        }
    return said


def measurement(name: str, digest: bytes) -> list[Any]:
    return [65001, cbor({1: [name], 2: [1, digest]})]


def claims_set(said: Mapping[str, Any]) -> bytes:
    """The detached claims-set; a name that is no `d.` name must be an integer label."""
    top: dict[Any, Any] = {}
    private: dict[Any, Any] = {}
    measured: list[Any] = []
    for name, value in said.items():
        if value is DROP:
            continue
        if name in MEASURED:
            measured.append(measurement(name.removesuffix("_digest"), value))
        elif name == "declared" and isinstance(value, Mapping):
            private[PRIVATE_LABELS[name]] = {DECLARED_LABELS.get(k, k): v for k, v in value.items()}
        elif name in PRIVATE_LABELS:
            private[PRIVATE_LABELS[name]] = value
        else:
            top[SET_LABELS.get(name, name)] = value
    if measured:
        top.setdefault(SET_LABELS["measurements"], measured)
    top.setdefault(PRIVATE, private)
    return cbor({label: value for label, value in top.items() if value is not DROP})


class Device:
    """One board with a key of its own; `Device(1)` is always the same board."""

    def __init__(self, seed: int = 1, *, profile: str = "P2", chip: str = "esp32s3") -> None:
        scalar = int.from_bytes(hashlib.sha256(b"forge %d" % seed).digest(), "big") % (N - 1) + 1
        self.private_key = ec.derive_private_key(scalar, ec.SECP256R1())
        self.name = f"board-{seed}"
        self.mac = bytes.fromhex("a0764e") + (0x100000 + seed).to_bytes(3, "big")
        self.ueid = b"\x02" + self.mac
        self.said = healthy(profile, chip)

    @property
    def public_key(self) -> bytes:
        """x || y, 64 bytes, as `enroll` of the agent gives it."""
        point = self.private_key.public_key().public_numbers()
        return point.x.to_bytes(32, "big") + point.y.to_bytes(32, "big")

    @property
    def key_id(self) -> bytes:
        """First 8 bytes of the COSE Key Thumbprint (RFC 9679)."""
        x, y = self.public_key[:32], self.public_key[32:]
        return hashlib.sha256(cbor({1: 2, -1: 1, -2: x, -3: y})).digest()[:8]

    def enrol(self, **changes: Any) -> SignKey:
        """This device as the verifier's own table holds it."""
        facts: dict[str, Any] = {
            "key_id": self.key_id,
            "device": self.name,
            "ueid": self.ueid,
            "public_key": self.public_key,
            "revoked": False,
        }
        return SignKey(**(facts | changes))

    def set(self, **changes: Any) -> bytes:
        return claims_set(self.said | changes)

    def set_digest(self, **changes: Any) -> bytes:
        return hashlib.sha256(self.set(**changes)).digest()

    def claims(
        self,
        nonce: Any,
        *,
        cfg: bytes | None = None,
        extra: Mapping[int, Any] | None = None,
        **changes: Any,
    ) -> bytes:
        """The token's payload; `extra` adds claims by their labels."""
        said: dict[Any, Any] = {
            "nonce": nonce,
            "ueid": self.ueid,
            "uptime": 4711,
            "profile": PROFILE,
            "submods": {"cfg": [-16, hashlib.sha256(cfg or self.set()).digest()]},
            "bootcount": 7,
            "bootseed": digest_of(self.name)[:8],
        }
        said |= changes | dict(extra or {})
        return cbor({TOKEN_LABELS.get(k, k): v for k, v in said.items() if v is not DROP})

    def sign(self, protected: bytes, payload: bytes, context: str = "Signature1") -> bytes:
        """r || s over the Sig_structure (RFC 9052 section 4.4), deterministic (RFC 6979)."""
        signed = cbor([context, protected, b"", payload])
        der = self.private_key.sign(signed, ec.ECDSA(SHA256(), deterministic_signing=True))
        r, s = decode_dss_signature(der)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def envelope(self, payload: Any, **changes: Any) -> Tag:
        """The COSE_Sign1 structure round a payload, signed over what it then says.

        Changes: header (map), protected, unprotected, signature, tag, signed_payload.
        """
        header = changes.get("header", {1: -7, 4: self.key_id, 16: 263})
        protected = changes.get("protected", cbor(header))
        over = changes.get("signed_payload", payload)
        signature = changes.get("signature")
        if signature is None:
            signature = self.sign(protected if type(protected) is bytes else b"", over)
        parts = [protected, changes.get("unprotected", {}), payload, signature]
        return Tag(changes.get("tag", 18), parts)

    def token(self, nonce: bytes, **changes: Any) -> bytes:
        """The bare form: `application/eat+cwt`."""
        return cbor(self.envelope(self.claims(nonce, **changes)))

    def bundle(self, nonce: bytes, *, cfg: bytes | None = None, **changes: Any) -> bytes:
        """The token with its claims-set: `application/eat-bun+cbor`."""
        cfg = self.set() if cfg is None else cfg
        return wrap(self.token(nonce, cfg=cfg, **changes), cfg)


MASTER = hashlib.sha256(b"forge's master").digest()


class MacDevice(Device):
    """A board whose key lies in a fuse: it signs by a MAC that it cannot read the key of."""

    def __init__(self, seed: int = 1, *, chip: str = "esp32s3", master: bytes = MASTER) -> None:
        super().__init__(seed, profile="P0", chip=chip)
        # HKDF-SHA256 (RFC 5869) of one block, by its definition
        pseudorandom = hmac.digest(b"troth/efuse-hmac/1", master, "sha256")
        self.secret = hmac.digest(pseudorandom, self.mac + b"\x01", "sha256")

    @property
    def key_id(self) -> bytes:
        return hmac.digest(self.secret, b"troth/kid/1", "sha256")[:8]

    def enrol_mac(self, **changes: Any) -> MacKey:
        """This device as the verifier derives its key."""
        facts = {
            "key_id": self.key_id,
            "device": self.name,
            "ueid": self.ueid,
            "secret": self.secret,
            "revoked": False,
        }
        return MacKey(**(facts | changes))

    def sign(self, protected: bytes, payload: bytes, context: str = "MAC0") -> bytes:
        """The tag over the MAC_structure (RFC 9052 section 6.3)."""
        return hmac.digest(self.secret, cbor([context, protected, b"", payload]), "sha256")

    def envelope(self, payload: Any, **changes: Any) -> Tag:
        """The COSE_Mac0 structure; changes as in a signed one."""
        return super().envelope(
            payload, **({"header": {1: 5, 4: self.key_id, 16: 263}, "tag": 17} | changes)
        )


def wrap(token: bytes, cfg: bytes) -> bytes:
    """Any token in a detached bundle with any claims-set."""
    return cbor(Tag(602, [cbor(Tag(61, Raw(token))), {"cfg": cfg}]))


def nonce_of(number: int) -> bytes:
    """A challenge that is told by its number."""
    return hashlib.sha256(b"nonce %d" % number).digest()
