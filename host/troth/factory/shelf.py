"""The shelf of signed releases: the one door through which a record reaches the store."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ec import (
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)

from ..core.reference import Release
from ..store import ReleaseRow, Store
from ..trouble import Trouble
from .release import Draft, read_release, read_withdrawal, sign_withdrawal
from .signed import sign_record


def keep(
    store: Store, record: bytes, key: EllipticCurvePublicKey, *, at: int
) -> tuple[Release, bool]:
    """Keep a record whose signature holds; False when this very record is there already.

    Raises Trouble `release.unsigned`, `.signature`, `.content` or `.withdrawn`.
    """
    release = read_release(record, key)
    known = store.release(release.id)
    if known is None:
        store.add_release(release, record, at=at)
        return release, True
    if known.release.withdrawn is not None:
        raise Trouble(
            "release.withdrawn",
            f"{release.model} {release.version} was withdrawn and stays so",
            fix="release a new version",
        )
    return known.release, False


def sign_again(store: Store, draft: Draft, key: EllipticCurvePrivateKey) -> bytes:
    """The record that says the same, whatever its date, if there is one; else a new one."""
    for row in store.releases(draft.said["model"], draft.said["chip"]):
        dated = {**draft.said, "released": row.release.released}
        if sign_record(dated, "release", key) == row.record:
            return row.record
    return draft.sign(key)


def find(store: Store, ref: str) -> ReleaseRow:
    """By id, the beginning of it, or MODEL@VERSION. Trouble `release.unknown`, `.ambiguous`."""
    model, at, version = ref.partition("@")
    if not at:
        row = store.release(ref)
        if row is None:
            raise _unknown(ref)
        return row
    rows = [row for row in store.releases(model) if row.release.version == version]
    if not rows:
        raise _unknown(ref)
    if len(rows) > 1:
        raise Trouble(
            "release.ambiguous",
            f"{len(rows)} releases are called {ref}",
            why=", ".join(f"{row.release.id[:12]} ({row.release.chip})" for row in rows),
            fix="name one by its id",
        )
    return rows[0]


def withdraw(
    store: Store,
    row: ReleaseRow,
    reason: str,
    key: EllipticCurvePrivateKey,
    trusted: EllipticCurvePublicKey,
    *,
    at: int,
) -> ReleaseRow:
    """Take a release back, signed and audited."""
    record = sign_withdrawal(row.release.id, at, reason, key)
    read_withdrawal(record, trusted)
    store.withdraw_release(row.release.id, record, at=at)
    return find(store, row.release.id)


def _unknown(ref: str) -> Trouble:
    return Trouble("release.unknown", f"no release {ref}", fix="troth release list")
