"""The one frozen Settings: a home's troth.toml and policy.toml, read once by the shell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .core.reference import Policy
from .policyfile import read_policy
from .tomlfile import check_keys, read_toml
from .trouble import Trouble

_SERVE = {"bind": "127.0.0.1:8443", "pages": "127.0.0.1:8080"}
MASTER = Path("certs", "dev", "hmac-master.key")  # of the boards' fuse keys
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
    config = read_toml(root / "troth.toml", "config")
    check_keys(config, {"serve", "store", "mqtt"}, root / "troth.toml", "config")
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


def _section(
    config: dict[str, Any], name: str, default: dict[str, str], path: Path
) -> dict[str, str]:
    said = config.get(name, {})
    if type(said) is not dict:
        raise Trouble("config.type", f"[{name}] in {path.name} must be a table", fix=f"edit {path}")
    check_keys(said, set(default), path, "config")
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
