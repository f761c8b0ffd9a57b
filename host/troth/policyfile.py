"""policy.toml: the operator's own numbers, shown as policy and not as law."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

from .core.reference import Policy
from .tomlfile import check_keys, read_toml
from .trouble import Trouble

_HOUR, _DAY = 3600, 86_400
_MOST = 2**31  # sixty-eight years in seconds: far beyond any of these numbers
_DIGEST = re.compile(r"[0-9a-f]{64}")
_ARTICLES = {
    int: "a whole number above 0",
    float: "a number above 0 and at most 10",
    list: "a list of strings",
    bool: "true or false",
}


class _Key(NamedTuple):
    """One key of the file: the field of Policy that it sets, and in which unit."""

    kind: type
    field: str
    unit: int = 1
    least: int = 1


_KEYS = {
    "max_evidence_age_s": _Key(int, "max_evidence_age"),
    "approved_algs": _Key(list, "approved_algs"),
    "max_reconnects_per_h": _Key(int, "max_reconnects"),
    "max_boots_24h": _Key(int, "max_boots_24h"),
    "fix_grace_days": _Key(int, "fix_grace", _DAY),
    "max_feed_age_days": _Key(int, "max_feed_age", _DAY),
    "review_interval_days": _Key(int, "review_interval", _DAY),
    "update_check_days": _Key(int, "update_check_interval", _DAY),
    "max_login_tries": _Key(int, "max_tries"),
    "max_cvss": _Key(float, "max_cvss"),
    "anchors": _Key(list, "anchors"),
    "grace_after_enrolment_h": _Key(int, "grace_after_enrolment", _HOUR, least=0),
    "waiver_four_eyes": _Key(bool, "waiver_four_eyes"),
    "packs": _Key(list, "packs"),
}
_CHALLENGE, _EPOCH = ("challenge_ttl_s", 300), ("epoch_s", 900)  # no duty asks for these


def read_policy(path: Path) -> tuple[Policy, int, int]:
    """The policy, and how long a challenge and an epoch last in seconds. Trouble `policy.*`."""
    said = read_toml(path, "policy") if path.is_file() else {}
    check_keys(said, {*_KEYS, _CHALLENGE[0], _EPOCH[0]}, path, "policy")
    policy = Policy(
        **{
            key.field: _value(name, key, said[name], path)
            for name, key in _KEYS.items()
            if name in said
        }
    )
    ttl, epoch = (
        _value(name, _Key(int, ""), said.get(name, default), path)
        for name, default in (_CHALLENGE, _EPOCH)
    )
    return policy, ttl, _epoch(said, epoch, policy.max_evidence_age, path)


def _value(name: str, key: _Key, said: Any, path: Path) -> Any:
    """As Policy holds it."""
    if key.kind is float and type(said) is int:
        said = float(said)
    exact = type(said) is key.kind  # a bool is an int to isinstance
    if not exact or not _is_within(key, said):
        raise Trouble(
            "policy.type",
            f"{name} in {path.name} must be {_ARTICLES[key.kind]}, not {said!r}",
            fix=f"edit {path}",
        )
    if key.kind is list:
        return _texts(name, said, path)
    if key.kind is int and said > _MOST:
        raise Trouble("policy.value", f"{name} in {path.name} is above {_MOST}", fix=f"edit {path}")
    return said * key.unit if key.kind is int else said


def _is_within(key: _Key, said: Any) -> bool:
    if key.kind is float:
        return bool(0 < said <= 10)
    return key.kind is not int or said >= key.least


def _texts(name: str, said: list[Any], path: Path) -> tuple[str, ...]:
    if not all(type(item) is str for item in said):
        raise Trouble(
            "policy.type", f"{name} in {path.name} must hold strings only", fix=f"edit {path}"
        )
    if name == "packs":  # beside the file, not where the command was typed
        return tuple(str((path.parent / item).resolve()) for item in said)
    for item in said if name == "anchors" else ():
        if not _DIGEST.fullmatch(item):
            raise Trouble(
                "policy.value",
                f"{item[:80]!r} under anchors in {path.name} is no SHA-256 in lower-case hex",
                fix=f"edit {path}; openssl x509 -in CA.pem -outform DER | sha256sum",
            )
    return tuple(said)


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
