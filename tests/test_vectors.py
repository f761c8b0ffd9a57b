"""Our own vectors: each message gets exactly the outcome that its case tells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from troth.core.errors import Rejected
from troth.core.freshness import Challenge
from troth.core.trust import SignKey
from troth.core.verify import authenticated, described, parse_evidence
from vectors import make

HERE = Path(__file__).parent / "vectors"
CASES = sorted(path.parent for path in HERE.glob("*/case.json"))


def known_keys() -> dict[bytes, SignKey]:
    keys = {}
    for row in json.loads((HERE / "keys.json").read_text()):
        kid, ueid = bytes.fromhex(row["kid"]), bytes.fromhex(row["ueid"])
        public_key = bytes.fromhex(row["public_key"])
        keys[kid] = SignKey(kid, row["device"], ueid, public_key, row["revoked"])
    return keys


def outcome(raw: bytes, facts: dict[str, object], challenge: dict[str, object]) -> tuple[str, str]:
    nonce = bytes.fromhex(str(challenge.pop("nonce")))
    opened = Challenge("s1", nonce, **challenge)
    try:
        evidence = parse_evidence(raw)
        key = known_keys().get(evidence.key_id)
        report = authenticated(evidence, key, opened, now=facts["now"])
        return "accepted" if described(report, None) else "wanted", ""
    except Rejected as refused:
        return refused.code, refused.path


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_vector(folder: Path) -> None:
    facts = json.loads((folder / "case.json").read_text())
    raw = (folder / "evidence.cbor").read_bytes()
    found = outcome(raw, facts, facts["challenge"])
    assert found == (facts["outcome"], facts["path"]), facts["story"]


def test_making_them_again_changes_nothing() -> None:
    made = make.files()
    kept = {
        str(path.relative_to(HERE)): path.read_bytes()
        for path in HERE.rglob("*")
        if path.suffix in (".json", ".cbor")
    }
    assert made.keys() == kept.keys()
    assert [name for name in made if made[name] != kept[name]] == []


def test_the_vectors_hold_no_private_key() -> None:
    for seed in (1, 2, 3, 4, 99):
        secret = make.forge.Device(seed).private_key.private_numbers().private_value
        for path in HERE.rglob("*.*"):
            content = path.read_bytes()
            assert secret.to_bytes(32, "big") not in content
            assert f"{secret:064x}".encode() not in content
