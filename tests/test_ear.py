"""Results: never better than the worst finding, never blaming the device for our own fault."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from troth.core.errors import Malformed
from troth.formats import ear
from troth.formats.ear import AFFIRMING, CONTRAINDICATED, NONE, WARNING, Answer

PEERS = Path(__file__).parents[1] / "../shared/vectors/ear-draft-04-05"
DUTIES = "ident.unique-id boot.firmware-known boot.files-known surface.debug-locked cfg.no-drift"
OUTCOMES = ["met", "not-met", "not-shown", "not-applicable", "waived", "declared", "error"]
DUTY = st.sampled_from(DUTIES.split())


def answers(**outcomes: str) -> list[Answer]:
    """All duties met but those said otherwise; `_` for the dots and dashes of an id."""
    known = {re.sub(r"\W", "_", duty): duty for duty in DUTIES.split()}
    return [Answer(duty, outcomes.get(name, "met")) for name, duty in known.items()]


def test_a_healthy_board_with_a_hardware_key_is_affirmed() -> None:
    appraisal = ear.appraised("compliant", answers(), software_key=False)
    assert appraisal.status == AFFIRMING
    assert set(appraisal.vector.values()) == {AFFIRMING}
    assert {"instance-identity", "executables", "file-system", "hardware"} <= set(appraisal.vector)


def test_a_software_key_vouches_for_no_hardware() -> None:
    appraisal = ear.appraised("compliant", answers(), software_key=True)
    assert appraisal.vector["hardware"] == NONE
    assert appraisal.vector["instance-identity"] == AFFIRMING
    assert appraisal.status == AFFIRMING


def test_but_it_may_well_admit_a_shortcoming() -> None:
    vector = ear.trust_vector(answers(surface_debug_locked="not-met"), software_key=True)
    assert vector["hardware"] == WARNING


def test_a_critical_shortcoming_is_contraindicated() -> None:
    appraisal = ear.appraised(
        "non-compliant",
        [Answer("boot.firmware-known", "not-met", critical=True)],
        software_key=False,
    )
    assert appraisal.vector == {"executables": CONTRAINDICATED}
    assert appraisal.status == CONTRAINDICATED


def test_what_only_the_maker_states_is_no_trustworthiness_of_the_device() -> None:
    appraisal = ear.appraised(
        "non-compliant", [Answer("support.in-force", "not-met")], software_key=False
    )
    assert appraisal.vector == {}
    assert appraisal.status == WARNING


@pytest.mark.parametrize("state", ["unknown", "stale"])
def test_what_is_not_known_now_is_not_affirmed(state: str) -> None:
    assert ear.appraised(state, answers(), software_key=False).status == NONE


def test_our_own_fault_is_minus_one_and_never_a_bad_mark() -> None:
    vector = ear.trust_vector(answers(cfg_no_drift="error"), software_key=False)
    assert vector["configuration"] == -1
    assert ear.tier(-1) == NONE
    assert ear.malfunction().status == NONE
    assert set(ear.malfunction().vector.values()) == {-1}


def test_refused_evidence_looks_alike_whatever_the_reason() -> None:
    appraisal = ear.rejected()
    assert appraisal.status == CONTRAINDICATED
    assert set(appraisal.vector) == set(ear.VECTOR)
    assert set(appraisal.vector.values()) == {99}


@given(
    st.sampled_from(["compliant", "non-compliant", "waived", "stale", "unknown"]),
    st.lists(
        st.builds(Answer, st.sampled_from(DUTIES.split()), st.sampled_from(OUTCOMES), st.booleans())
    ),
    st.booleans(),
)
def test_a_result_is_never_better_than_its_worst_claim(
    state: str, given_answers: list[Answer], software_key: bool
) -> None:
    appraisal = ear.appraised(state, given_answers, software_key=software_key)
    assert not ear.better(appraisal.status, appraisal.vector)
    assert appraisal.status != AFFIRMING or state == "compliant"
    result = ear.Result(1_790_000_000, "https://troth.example", "troth 0.1", {"b": appraisal})
    assert ear.parse(ear.build(result)).attesters["b"].status == appraisal.status


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([0, 1, -1], NONE),
        ([2, 31, -2, -32], AFFIRMING),
        ([32, 95, -33, -96], WARNING),
        ([96, 127, -97, -128], CONTRAINDICATED),
    ],
)
def test_the_tiers_of_ar4si(value: list[int], expected: int) -> None:
    assert {ear.tier(each) for each in value} == {expected}


RESULT = ear.Result(
    1_790_000_000,
    "https://troth.example",
    "troth 0.1.0",
    {
        "board-1": ear.Appraisal(
            WARNING, {"configuration": 32}, ("tag:a", "tag:b"), bytes(range(32)), {"state": "x"}
        )
    },
    expires_at=1_790_000_300,
)


def test_the_claims_have_the_names_of_the_draft() -> None:
    claims = ear.build(RESULT)
    assert claims == {
        "eat_profile": "tag:ietf.org,2026:rats/ear#04",
        "iat": 1_790_000_000,
        "exp": 1_790_000_300,
        "ear_status": "warning",
        "ear_verifier_id": {"developer": "https://troth.example", "build": "troth 0.1.0"},
        "submods": {
            "board-1": {
                "ear_status": "warning",
                "ear_trustworthiness_vector": {"configuration": 32},
                "ear_appraisal_policy_ids": ["tag:a", "tag:b"],
                "eat_nonce": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
                "ear_verifier_claims": {"state": "x"},
            }
        },
    }


def test_what_was_built_is_read_back() -> None:
    read = ear.parse(ear.build(RESULT))
    assert read.attesters["board-1"].nonce == bytes(range(32))
    assert read.attesters["board-1"].policies == ("tag:a", "tag:b")
    assert (read.issued_at, read.expires_at) == (RESULT.issued_at, RESULT.expires_at)
    assert (read.developer, read.build) == (RESULT.developer, RESULT.build)


def test_the_older_dotted_names_are_read_too() -> None:
    read = ear.parse(
        {
            "eat_profile": "tag:github.com,2023:veraison/ear",
            "iat": 1,
            "ear.verifier-id": {"developer": "d", "build": "b"},
            "submods": {
                "PSA": {
                    "ear.status": "contraindicated",
                    "ear.trustworthiness-vector": {"executables": 33, "hardware": 99},
                    "ear.appraisal-policy-id": "policy:PSA",
                }
            },
        }
    )
    assert read.attesters["PSA"].status == CONTRAINDICATED
    assert read.attesters["PSA"].policies == ("policy:PSA",)


@pytest.mark.skipif(not PEERS.exists(), reason="the draft's examples are not beside this checkout")
def test_the_drafts_own_example_is_read() -> None:
    read = ear.parse(json.loads((PEERS / "ear-json-2.diag").read_text()))
    assert {name: each.status for name, each in read.attesters.items()} == {
        "CCA Platform": AFFIRMING,
        "CCA Realm": AFFIRMING,
    }


def changed(path: str, value: Any) -> Any:
    claims: Any = ear.build(RESULT)
    *way, last = path.split("/")
    place = claims
    for step in way:
        place = place[step]
    if value is KeyError:
        del place[last]
    else:
        place[last] = value
    return claims


BAD = [
    ("eat_profile", "tag:ietf.org,2026:rats/ear#03", "profile.unsupported"),
    ("eat_profile", ["x"], "profile.unsupported"),
    ("iat", 1.5, "claim.type"),
    ("iat", True, "claim.type"),
    ("iat", KeyError, "claim.missing"),
    ("exp", "soon", "claim.type"),
    ("submods", {}, "claim.range"),
    ("submods", [], "claim.type"),
    ("submods/board-1", ["JWT", "e30.e30.e30"], "claim.type"),
    ("ear_verifier_id", KeyError, "claim.missing"),
    ("ear_verifier_id/build", 1, "claim.type"),
    ("submods/board-1/ear_status", "fine", "claim.range"),
    ("submods/board-1/ear_status", 3, "claim.range"),
    ("submods/board-1/ear_status", {}, "claim.range"),
    ("submods/board-1/ear_status", "affirming", "claim.range"),
    ("submods/board-1/ear_trustworthiness_vector", {"luck": 2}, "claim.range"),
    ("submods/board-1/ear_trustworthiness_vector", {"hardware": 128}, "claim.range"),
    ("submods/board-1/ear_trustworthiness_vector", {"hardware": True}, "claim.range"),
    ("submods/board-1/ear_trustworthiness_vector", [], "claim.range"),
    ("submods/board-1/ear_appraisal_policy_ids", "x", "claim.type"),
    ("submods/board-1/ear_appraisal_policy_ids", [1], "claim.type"),
    ("submods/board-1/eat_nonce", 1, "claim.type"),
    ("submods/board-1/eat_nonce", "\u00e9", "claim.type"),
]


@pytest.mark.parametrize(("path", "value", "code"), BAD, ids=[f"{p}={v!r}" for p, v, _ in BAD])
def test_a_result_that_breaks_the_draft_is_refused(path: str, value: Any, code: str) -> None:
    with pytest.raises(Malformed) as refused:
        ear.parse(changed(path, value))
    assert refused.value.code == code


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(st.sampled_from([path for path, _, _ in BAD]), JSON)
def test_any_value_anywhere_is_read_or_refused(path: str, value: Any) -> None:
    with suppress(Malformed):
        ear.parse(changed(path, value))
