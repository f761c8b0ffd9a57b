"""What a claims-set is compared with: chosen from all releases of its model and chip."""

from __future__ import annotations

from typing import Any

import pytest

from honest import APP, CFG, CODE, DAY, KEY, NOW, POLICY, release
from troth.core.reference import Policy, Reference, Release, resolve

OTHER = "ff" * 32


def chosen(*releases: Release, approved: tuple[str, ...] = (), **said: Any) -> Reference:
    digests = {"app_digest": APP, "code_digest": CODE, "cfg_digest": CFG, **said}
    return resolve(releases, approved, POLICY, **digests)


def test_the_only_release_is_known_current_and_as_shipped() -> None:
    one = release()
    r = chosen(one)
    assert (r.app_digests, r.current_digests, r.withdrawn_digests) == ((APP,), (APP,), ())
    assert (r.code_digests, r.cfg_digests, r.boot_key_digests) == ((CODE,), (CFG,), (KEY,))
    assert (r.release, r.as_shipped, r.newer_since) == (one, True, None)
    assert (r.min_secver, r.anti_rollback, r.release_secret_hits) == (1, True, 0)


def test_nothing_released_is_nothing_said() -> None:
    r = chosen()
    assert (r.app_digests, r.withdrawn_digests, r.current_digests) == (None, None, None)
    assert (r.code_digests, r.cfg_digests, r.release_secret_hits) == (None, None, None)
    assert r.max_evidence_age == POLICY.max_evidence_age
    assert not r.as_shipped


def test_without_an_approved_anchor_nobody_has_said_which_is_good() -> None:
    r = resolve((), (), Policy(), app_digest=APP, code_digest=CODE, cfg_digest=CFG)
    assert r.anchors is None


@pytest.mark.parametrize("said", ["app_digest", "code_digest", "cfg_digest"])
def test_one_foreign_digest_and_it_is_not_as_shipped(said: str) -> None:
    assert not chosen(release(), **{said: OTHER}).as_shipped


def test_approved_settings_are_good_but_not_as_shipped() -> None:
    r = chosen(release(), approved=(OTHER,), cfg_digest=OTHER)
    assert r.cfg_digests == (CFG, OTHER)
    assert not r.as_shipped


def test_a_newer_release_makes_the_older_one_not_current_since_its_day() -> None:
    newer = release("1.1.0", app_digest=OTHER, released=NOW - 5 * DAY)
    newest = release("1.2.0", app_digest="ee" * 32, released=NOW - DAY)
    r = chosen(release(), newer, newest)
    assert r.current_digests == (newest.app_digest,)
    assert r.newer_since == newer.released  # the first chance to have taken one


def test_a_withdrawn_release_is_no_fix_and_never_current() -> None:
    gone = release("1.1.0", app_digest=OTHER, released=NOW - 5 * DAY, withdrawn=NOW)
    r = chosen(release(), gone)
    assert (r.current_digests, r.withdrawn_digests, r.newer_since) == ((APP,), (OTHER,), None)


def test_the_same_second_is_told_apart_by_version() -> None:
    ten = release("1.10.0", app_digest=OTHER)
    assert chosen(release("1.9.0"), ten).current_digests == (OTHER,)
    assert chosen(ten, release("1.9.0")).current_digests == (OTHER,)


def test_files_of_another_release_with_another_image_do_not_pass() -> None:
    other = release("1.1.0", app_digest=OTHER, code_digest="ee" * 32)
    assert chosen(release(), other, code_digest="ee" * 32).code_digests == (CODE,)


# stock firmware: one image for years, and the releases differ in their files
_V1 = release("1.0.0", code_digest="01" * 32, released=NOW - 90 * DAY)
_V2 = release("2.0.0", code_digest="02" * 32, released=NOW - 40 * DAY)


def test_with_one_image_the_files_say_which_release_runs() -> None:
    old = chosen(_V1, _V2, code_digest=_V1.code_digest)
    assert (old.release, old.current_digests, old.newer_since) == (_V1, (), _V2.released)
    new = chosen(_V1, _V2, code_digest=_V2.code_digest)
    assert (new.release, new.current_digests, new.newer_since) == (_V2, (APP,), None)


def test_with_one_image_a_withdrawal_hits_only_its_own_files() -> None:
    gone = release("1.0.0", code_digest="01" * 32, released=NOW - 90 * DAY, withdrawn=NOW)
    assert chosen(gone, _V2, code_digest=_V1.code_digest).withdrawn_digests == (APP,)
    assert chosen(gone, _V2, code_digest=_V2.code_digest).withdrawn_digests == ()


def test_changed_files_on_a_shared_image_count_as_the_newest() -> None:
    r = chosen(_V1, _V2, code_digest=OTHER)
    assert (r.release, r.current_digests) == (_V2, (APP,))


def test_an_unknown_image_keeps_the_model_s_keys_and_floor() -> None:
    r = chosen(release(), app_digest=OTHER)
    assert (r.boot_key_digests, r.min_secver) == ((KEY,), 1)
    assert (r.release, r.code_digests, r.release_secret_hits) == (None, None, None)
