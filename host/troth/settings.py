"""The one frozen Settings: a home's troth.toml and policy.toml, read once by the shell."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .core.reference import Policy
from .trouble import Trouble

_SERVE = {"bind": "127.0.0.1:8443", "pages": "127.0.0.1:8080"}
MASTER = Path("certs", "dev", "hmac-master.key")  # of the boards' fuse keys
_MOST = 2**31  # sixty-eight years in seconds: far beyond any of these numbers
_LEAST = {"grace_after_enrolment_h": 0}  # all other numbers are above 0
_ARTICLES = {
    int: "a whole number above 0",
    float: "a number above 0 and at most 10",
    list: "a list of strings",
    bool: "true or false",
}
_DIGEST = re.compile(r"[0-9a-f]{64}")
_STORE = {"db": "sqlite:///troth.db"}
_MQTT = {"url": "", "ca": "", "user": "", "password_file": ""}


@dataclass(frozen=True, slots=True)
class Mqtt:
    """A broker that boards report through; no `url`: none."""

    url: str = ""
    ca: str = ""  # PEM; none: the CAs of this machine
    user: str = ""
    password_file: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are and what the operator chose; handed on as plain arguments."""

    home: Path
    db: str
    bind: str
    pages: str
    policy: Policy
    challenge_ttl_s: int
    epoch_s: int
    mqtt: Mqtt

    @property
    def keys(self) -> Path:
        """The folder of dev keys and certificates, git-ignored, 0700."""
        return self.home / "certs" / "dev"

    @property
    def ca_cert(self) -> Path:
        return self.keys / "ca.pem"

    @property
    def server_cert(self) -> Path:
        return self.keys / "server.pem"

    @property
    def server_key(self) -> Path:
        return self.keys / "server.key"

    @property
    def ear_key(self) -> Path:
        return self.keys / "ear.key"

    @property
    def hmac_master(self) -> Path:
        return self.home / MASTER

    @property
    def release_key(self) -> Path:
        return self.keys / "release.key"

    @property
    def baseline_key(self) -> Path:
        return self.keys / "baseline.key"


def find_home(given: str | None) -> Path:
    """The home that was named, else the nearest parent folder that has a troth.toml, else here."""
    if given:
        return Path(given).resolve()
    here = Path.cwd()
    return next((at for at in (here, *here.parents) if (at / "troth.toml").is_file()), here)


def load_settings(home: str | None = None, db: str | None = None) -> Settings:
    """Read a home. Raises Trouble `home.missing`, `config.*` or `policy.*`."""
    root = find_home(home)
    if not (root / "troth.toml").is_file():
        raise Trouble(
            "home.missing", f"no troth.toml in {root} or above it", fix="troth init, or --home DIR"
        )
    config = _read(root / "troth.toml", "config")
    _only(config, {"serve", "store", "mqtt"}, root / "troth.toml", "config")
    serve = _section(config, "serve", _SERVE, root / "troth.toml")
    store = _section(config, "store", _STORE, root / "troth.toml")
    mqtt = _section(config, "mqtt", _MQTT, root / "troth.toml")
    policy, ttl, epoch = read_policy(root / "policy.toml")
    return Settings(
        root,
        _absolute(db or store["db"], root),
        **serve,
        policy=policy,
        challenge_ttl_s=ttl,
        epoch_s=epoch,
        mqtt=_mqtt(mqtt, root),
    )


def read_policy(path: Path) -> tuple[Policy, int, int]:
    """The operator's own numbers, and how long a challenge and an epoch last in seconds.

    Trouble `policy.*`.
    """
    said = _read(path, "policy") if path.is_file() else {}
    default = Policy()
    day = 86_400
    want: dict[str, tuple[type, Any]] = {
        "max_evidence_age_s": (int, default.max_evidence_age),
        "approved_algs": (list, list(default.approved_algs)),
        "max_reconnects_per_h": (int, default.max_reconnects),
        "max_boots_24h": (int, default.max_boots_24h),
        "fix_grace_days": (int, default.fix_grace // day),
        "max_feed_age_days": (int, default.max_feed_age // day),
        "review_interval_days": (int, default.review_interval // day),
        "update_check_days": (int, default.update_check_interval // day),
        "max_login_tries": (int, default.max_tries),
        "max_cvss": (float, default.max_cvss),
        "anchors": (list, []),
        "challenge_ttl_s": (int, 300),
        "epoch_s": (int, 900),
        "grace_after_enrolment_h": (int, default.grace_after_enrolment // 3600),
        "waiver_four_eyes": (bool, default.waiver_four_eyes),
        "packs": (list, []),
    }
    _only(said, set(want), path, "policy")
    got = {}
    for key, (kind, value) in want.items():
        got[key] = said.get(key, value)
        if kind is float and type(got[key]) is int:
            got[key] = float(got[key])
        if (
            type(got[key]) is not kind
            or (kind is int and got[key] < _LEAST.get(key, 1))
            or (kind is float and not 0 < got[key] <= 10)
        ):
            article = _ARTICLES[kind]
            raise Trouble(
                "policy.type",
                f"{key} in {path.name} must be {article}, not {got[key]!r}",
                fix=f"edit {path}",
            )
        if kind is list and not all(type(item) is str for item in got[key]):
            raise Trouble(
                "policy.type", f"{key} in {path.name} must hold strings only", fix=f"edit {path}"
            )
        if kind is int and got[key] > _MOST:
            raise Trouble(
                "policy.value", f"{key} in {path.name} is above {_MOST}", fix=f"edit {path}"
            )
    for anchor in got["anchors"]:
        if not _DIGEST.fullmatch(anchor):
            raise Trouble(
                "policy.value",
                f"{anchor[:80]!r} under anchors in {path.name} is no SHA-256 in lower-case hex",
                fix=f"edit {path}; openssl x509 -in CA.pem -outform DER | sha256sum",
            )
    policy = Policy(
        max_evidence_age=got["max_evidence_age_s"],
        approved_algs=tuple(got["approved_algs"]),
        max_reconnects=got["max_reconnects_per_h"],
        max_boots_24h=got["max_boots_24h"],
        fix_grace=got["fix_grace_days"] * day,
        max_feed_age=got["max_feed_age_days"] * day,
        review_interval=got["review_interval_days"] * day,
        update_check_interval=got["update_check_days"] * day,
        max_tries=got["max_login_tries"],
        max_cvss=got["max_cvss"],
        anchors=tuple(got["anchors"]),
        grace_after_enrolment=got["grace_after_enrolment_h"] * 3600,
        waiver_four_eyes=got["waiver_four_eyes"],
        packs=tuple(str((path.parent / pack).resolve()) for pack in got["packs"]),
    )
    epoch = _epoch(said, got["epoch_s"], policy.max_evidence_age, path)
    return policy, got["challenge_ttl_s"], epoch


def _epoch(said: dict[str, Any], epoch: int, max_age: int, path: Path) -> int:
    """How long an epoch lasts: what answers one at its end must not be too old already."""
    if 4 * epoch <= max_age:
        return epoch
    if "epoch_s" in said:
        raise Trouble(
            "policy.value",
            f"epoch_s in {path.name} is above a quarter of max_evidence_age_s, {max_age}",
            why="an answer comes up to two epochs after its handle, and is as old as that",
            fix=f"edit {path}",
        )
    return max(1, max_age // 4)


def _read(path: Path, noun: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise Trouble(f"{noun}.syntax", f"{path.name}: {err}", fix=f"edit {path}") from err
    except OSError as err:
        raise Trouble(f"{noun}.unreadable", f"cannot read {path}: {err.strerror}") from err


def _only(said: dict[str, Any], known: set[str], path: Path, noun: str) -> None:
    unknown = sorted(set(said) - known)
    if unknown:
        raise Trouble(
            f"{noun}.unknown-key",
            f"{path.name} has an unknown key {unknown[0]!r}",
            why=f"known keys: {', '.join(sorted(known))}",
            fix=f"edit {path}",
        )


def _section(
    config: dict[str, Any], name: str, default: dict[str, str], path: Path
) -> dict[str, str]:
    said = config.get(name, {})
    if type(said) is not dict:
        raise Trouble("config.type", f"[{name}] in {path.name} must be a table", fix=f"edit {path}")
    _only(said, set(default), path, "config")
    for key, value in said.items():
        if type(value) is not str:
            raise Trouble(
                "config.type", f"{name}.{key} in {path.name} must be a string", fix=f"edit {path}"
            )
    return {**default, **said}


def _mqtt(said: dict[str, str], home: Path) -> Mqtt:
    """Files are relative to the home, not to where the command was typed."""
    files = {name: str(home / said[name]) for name in ("ca", "password_file") if said[name]}
    return Mqtt(**{**said, **files})


def _absolute(url: str, home: Path) -> str:
    """A relative SQLite path is relative to the home, not to where the command was typed."""
    prefix = "sqlite:///"
    if url.startswith(prefix) and not url.startswith(prefix + "/"):
        return prefix + str(home / url.removeprefix(prefix))
    return url
