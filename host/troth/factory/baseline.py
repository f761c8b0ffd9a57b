"""Settings that somebody approved: what a device last reported, signed and kept."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ec import (
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)

from ..core.claims import read_claims_set
from ..store import DeviceRow, Store
from ..trouble import Trouble
from .signed import open_record, sign_record


@dataclass(frozen=True, slots=True)
class Approver:
    """Who approves, with which key, and when."""

    by: str
    key: EllipticCurvePrivateKey
    trusted: EllipticCurvePublicKey
    at: int


@dataclass(frozen=True, slots=True)
class Approval:
    """One approval, as it was kept."""

    scope: str  # device model
    subject: str
    cfg_digest: str
    added: bool  # False: it was approved before


def last_settings(store: Store, device: DeviceRow) -> str | None:
    """The settings digest that a device last reported, if it ever said one."""
    row = store.latest_evidence(device.id)
    kept = store.set_raw(row.set_digest) if row else None
    return read_claims_set(kept.raw, kept.digest).claims.cfg_digest if kept else None


def approve_device(store: Store, ref: str, approver: Approver) -> tuple[Approval, ...]:
    """Approve what one device last reported. Trouble `device.unknown`, `baseline.no-evidence`."""
    device = store.device(ref)
    if device is None:
        raise Trouble("device.unknown", f"no device {ref}", fix="troth device list")
    digest = last_settings(store, device)
    if digest is None:
        raise Trouble(
            "baseline.no-evidence",
            f"{device.name} never reported its settings",
            fix="troth attest --port P, or wait for its first report",
        )
    return (_approve(store, "device", device.id, digest, approver),)


def approve_model(store: Store, model: str, approver: Approver) -> tuple[Approval, ...]:
    """Approve what every device of a model last reported."""
    devices = [device for device in store.devices() if device.model == model]
    if not devices:
        raise Trouble("device.unknown", f"no device of model {model}", fix="troth device list")
    digests = sorted({digest for each in devices if (digest := last_settings(store, each))})
    if not digests:
        raise Trouble(
            "baseline.no-evidence",
            f"no {model} ever reported its settings",
            fix="troth attest --port P",
        )
    return tuple(_approve(store, "model", model, digest, approver) for digest in digests)


def _approve(store: Store, scope: str, subject: str, digest: str, approver: Approver) -> Approval:
    model = subject if scope == "model" else None
    device = subject if scope == "device" else None
    known = store.baselines(device, model)
    if any((row.scope, row.subject, row.cfg_digest) == (scope, subject, digest) for row in known):
        return Approval(scope, subject, digest, False)
    said = {
        "scope": scope,
        "subject": subject,
        "by": approver.by,
        "at": approver.at,
        "cfg": bytes.fromhex(digest),
    }
    record = sign_record(said, "baseline", approver.key)
    open_record(record, "baseline", approver.trusted)
    store.add_baseline(scope, subject, digest, record, at=approver.at, by=approver.by)
    return Approval(scope, subject, digest, True)
