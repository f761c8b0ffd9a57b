"""A home is made once and completed as often as one likes; nothing that exists is overwritten."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from ..settings import MASTER
from ..trouble import Trouble
from .keys import make_master, write_new
from .pki import anchor, make_pki, read_cert_der

_TROTH = """\
# This folder is a Troth home: its keys, its policy, its store. Paths are relative to it.

[serve]
bind = "127.0.0.1:8443"   # attestation, HTTPS
pages = "127.0.0.1:8080"  # pages for people, plain HTTP on loopback

[store]
db = "sqlite:///troth.db"
"""

_POLICY = """\
# The operator's own numbers: shown as policy everywhere, never as law.

max_evidence_age_s = 86400   # older evidence makes a device stale
approved_algs = ["ES256", "HMAC 256/256"]
max_reconnects_per_h = 600
max_boots_24h = 24
fix_grace_days = 30          # how long a released fix may wait before it is owed
max_feed_age_days = 7        # an older vulnerability feed counts as none
review_interval_days = 366   # between two reviews of a process or a risk assessment
update_check_days = 7        # between two looks of a unit for updates
max_login_tries = 10         # before a login must slow down
max_cvss = 7.0               # an open vulnerability below it, and not exploited, is no finding
challenge_ttl_s = 300
epoch_s = 900                # boards that sleep: for so long one challenge is everybody's
grace_after_enrolment_h = 0  # for so long a new unit's own shortfalls count as waived
waiver_four_eyes = false     # true: who approves a waiver is not who asked for it

# trust anchors that boards may pin: SHA-256 of the certificate's DER
anchors = ["{anchor}"]
"""


@dataclass(frozen=True, slots=True)
class Made:
    """What `troth init` made, and what it found."""

    home: Path
    made: tuple[str, ...]
    anchor: str
    anchored: bool  # does policy.toml name this CA?


def make_home(home: Path) -> Made:
    """Complete a home. Raises Trouble `home.*`, `config.*` or `key.*`."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        keys = list(make_pki(home))
        if make_master(home / MASTER):
            keys.append(MASTER.name)
        digest = anchor(read_cert_der(home / "certs" / "dev" / "ca.pem"))
        made = [f"certs/dev/{name}" for name in keys]
        for name, text in (
            ("troth.toml", _TROTH),
            ("policy.toml", _POLICY.format(anchor=digest)),
            (".gitignore", "certs/dev/\ntroth.db*\nline.jsonl\n"),
        ):
            if write_new(home / name, text.encode(), 0o644):
                made.append(name)
    except OSError as err:
        raise Trouble(
            "home.unwritable",
            f"cannot make a home in {home}",
            why=str(err.strerror or err),
            fix="choose a folder that you may write: troth init FOLDER",
        ) from err
    return Made(home, tuple(made), digest, digest in _anchors(home / "policy.toml"))


def _anchors(policy: Path) -> tuple[str, ...]:
    try:
        said = tomllib.loads(policy.read_text(encoding="utf-8")).get("anchors", [])
    except (tomllib.TOMLDecodeError, OSError):
        return ()  # `load_settings` tells what is wrong with it, and where
    return tuple(said) if isinstance(said, list) else ()
