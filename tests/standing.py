"""A fleet in a store, made of forged evidence and judged by the real rules: the demo's boards.

Every report takes the real path: authenticate, read, weigh, judge, record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from forge import Device, digest_of, nonce_of
from house import new_store
from troth.catalogue import bundled
from troth.core.device import Lifecycle, Profile, Provisioning
from troth.core.evidence import parse_evidence
from troth.core.freshness import Challenge
from troth.core.reference import Policy, Release, Statement
from troth.core.verify import authenticated, described
from troth.fleet.clock import advance
from troth.fleet.context import Context
from troth.fleet.judging import Judge
from troth.store import Accepted, DeviceRow, KeyRow, Recorded, Refused

NOW = 1_795_420_800  # 2026-11-23T08:00:00Z
DAY = 86_400
PLACED = NOW - 266 * DAY  # 2026-03-02
POLICY = Policy(max_evidence_age=3 * 3600, anchors=(digest_of("anchor").hex(),))

_STATEMENT = Statement(
    support_url="https://support.example/product",
    support_end=1_956_441_600,
    expected_use=5 * 365 * DAY,
    vdp_url="https://support.example/security",
    vdp_contact="security@support.example",
    vdp_ack_days=5,
    vdp_status_days=14,
    statement_ref="DoC-2026-1",
    markets=("eu", "uk"),
    password_kind="none",
)


def release(model: str, chip: str, version: str, *, days_ago: int, **changes: Any) -> Release:
    """One release as the store's door would have verified it."""
    made = Release(
        id=digest_of(f"{model} {chip} {version}").hex(),
        model=model,
        chip=chip,
        version=version,
        released=NOW - days_ago * DAY,
        app_digest=digest_of(f"app {model} {version}").hex(),
        code_digest=digest_of(f"code {model} {version}").hex(),
        cfg_digest=digest_of(f"cfg {model}").hex(),
        secure_version=1,
        boot_key_digests=(digest_of("maker boot key").hex(),),
        anti_rollback=True,
        secret_hits=0,
        statement=None if model == "bench" else replace(_STATEMENT, statement_models=(model,)),
    )
    return replace(made, **changes)


@dataclass
class Unit:
    """A forged board with its registration."""

    device: Device
    row: DeviceRow
    said: dict[str, Any] = field(default_factory=dict)


class Standing:
    """A store with boards in it; `report` at an instant is one accepted attestation."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'troth.db'}"
        self.store = new_store(folder)
        self.catalogue = bundled()
        self.policy = POLICY
        self.context = Context(self.store, POLICY)
        self.judge = Judge(self.catalogue)
        self.units: dict[str, Unit] = {}
        self._nonces = 0

    def add_release(self, made: Release) -> None:
        self.store.add_release(made, b"{}", at=made.released)

    def enrol(
        self,
        name: str,
        model: str,
        chip: str,
        version: str,
        *,
        market: str | None = "eu",
        **changes: Any,
    ) -> Unit:
        """A board of this model that runs this release, without a fault unless `changes` say so."""
        profile = "P0" if model == "bench" else "P2"
        device = Device(len(self.units) + 1, profile=profile, chip=chip)
        device.said |= {
            "hwmodel": model.encode(),
            "swname": model,
            "swversion": [version],
            "app_digest": digest_of(f"app {model} {version}"),
            "code_digest": digest_of(f"code {model} {version}"),
            "cfg_digest": digest_of(f"cfg {model}"),
            "secver_fuse": 1,
            "app_secver": 1,
        }
        own = model == "bench"
        row = DeviceRow(
            id=f"d{len(self.units) + 1:02}",
            name=name,
            ueid=device.ueid.hex(),
            mac=device.mac.hex(),
            model=model,
            chip=chip,
            lifecycle=Lifecycle.ACTIVE,
            market=None if own else market,
            product_class=None if own else "consumer",
            own_use=own,
            placed_on_market=None if own else PLACED,
            created=NOW - 30 * DAY,
        )
        key = KeyRow(device.key_id, row.id, row.ueid, device.public_key, created=row.created)
        self.store.enroll(row, key, at=row.created)
        unit = self.units[name] = Unit(device, row)
        device.said |= changes.pop("from_line", {})
        self.store.add_provisioning(
            row.id,
            Provisioning(
                at=row.created,
                profile=Profile(profile),
                fuses=device.said["fuses"].hex(),
                claims_digest=device.set_digest(),
                failing=changes.pop("line_failing", ()),
            ),
        )
        return unit

    def report(
        self, name: str, *, at: int = NOW - 600, token: Mapping[str, Any] | None = None, **said: Any
    ) -> int:
        """One accepted attestation, with these claims from now on; gives its evidence id."""
        unit = self.units[name]
        unit.device.said |= said
        challenge = self._challenge(at)
        told = {"uptime": max(at - (NOW - 30 * DAY), 1)} | dict(token or {})
        raw = unit.device.bundle(challenge.nonce, **told)
        self.context.refresh()
        evidence = parse_evidence(raw)
        signer = self.context.signer(evidence.key_id)
        report = authenticated(evidence, signer.key, challenge, now=at)
        claims = self.context.remember(described(report, None))
        facts = self.context.facts(signer.unit, signer.epoch, report.token, claims, now=at)
        verdict = self.judge.judge(facts)
        written = self.store.record(
            Accepted(
                session=challenge.session,
                spent_by=hashlib.sha256(raw).digest(),
                answer="",
                received=at,
                raw=raw,
                key_id=evidence.key_id,
                epoch=signer.epoch,
                token=report.token,
                claims_set=evidence.claims_set,
                verdict=verdict,
                subjects=self.context.subjects(facts),
                references=self.store.generation(),
                counted=self.context.count(facts, signer.epoch, claims),
            )
        )
        assert isinstance(written, Recorded)
        self.context.take(unit.row.id, signer.epoch, report.token, claims, at)
        return written.id

    def reject(self, name: str, code: str, text: str, *, at: int = NOW - 300) -> None:
        unit = self.units[name]
        challenge = self._challenge(at)
        self.store.record(
            Refused(
                at=at,
                code=code,
                text=text,
                path="claims/ueid",
                offset=None,
                raw=b"\xd2",
                session=challenge.session,
                spent_by=b"\0" * 32,
                answer="",
                device=unit.row.id,
                key_id=unit.device.key_id,
            )
        )

    def advance(self, now: int = NOW) -> None:
        advance(self.context, self.judge, now=now, everyone=True)

    def _challenge(self, at: int) -> Challenge:
        self._nonces += 1
        made = Challenge(f"s{self._nonces}", nonce_of(self._nonces), at - 2, at + 300)
        self.store.issue(made)
        return made


def demo_fleet(folder: Path) -> Standing:
    """The twelve boards of the demo, their faults included, as the morning after shows them."""
    fleet = Standing(folder)
    for chip in ("esp32c3", "esp32s3"):
        old = release("therm-v2", chip, "1.3.9", days_ago=210)
        fleet.add_release(old)
        fleet.store.withdraw_release(old.id, b"{}", at=NOW - 45 * DAY)
        fleet.add_release(release("therm-v2", chip, "1.4.0", days_ago=45))
    cam = release("cam-s3", "esp32s3", "2.0.1", days_ago=60, secret_hits=1)
    fleet.add_release(
        replace(
            cam,
            statement=replace(_STATEMENT, statement_models=("cam-s3",), password_kind="default"),
        )
    )
    gate = release("gate-v1", "esp32", "1.0.0", days_ago=90)
    fleet.add_release(gate)
    fleet.add_release(release("bench", "esp32", "0.1.0", days_ago=10))

    c3 = ("therm-v2", "esp32c3")
    for name in ("therm-01", "therm-03", "therm-05", "therm-07", "therm-08"):
        fleet.enrol(name, *c3, "1.4.0")
    fleet.enrol("therm-02", "therm-v2", "esp32s3", "1.4.0")
    fleet.enrol("therm-04", *c3, "1.3.9")
    fleet.enrol(
        "therm-06",
        *c3,
        "1.4.0",
        from_line={"jtag": "enabled", "dbgstat": 0},
        line_failing=("surface.debug-locked",),
    )
    fleet.enrol("cam-01", "cam-s3", "esp32s3", "2.0.1", market="uk")
    fleet.enrol("gate-01", "gate-v1", "esp32", "1.0.0", market="uk")
    fleet.enrol("bench-01", "bench", "esp32", "0.1.0")
    fleet.enrol("bench-02", "bench", "esp32", "0.1.0")
    for name in fleet.units:
        fleet.report(name, at=NOW - 4 * 3600)
    faults = {
        "therm-03": {
            "webrepl_on": True,
            "code_digest": digest_of("a technician's boot.py"),
            "cfg_digest": digest_of("a technician's settings"),
        },
        "therm-05": {"code_digest": digest_of("one changed file")},
        "cam-01": {"webrepl_on": True},
        "bench-02": {"app_digest": digest_of("tampered image")},
    }
    for name in fleet.units:
        if name != "therm-08":
            fleet.report(name, at=NOW - 900, **faults.get(name, {}))
    shorter = replace(_STATEMENT, statement_models=("gate-v1",), support_end=1_893_369_600)
    fleet.store.add_statement("gate-v1", shorter, b"{}", at=NOW - 600)
    fleet.reject("therm-07", "id.mismatch", "the token names another device than its signer")
    fleet.reject("therm-07", "nonce.replayed", "the nonce is not this session's", at=NOW - 240)
    fleet.advance()
    return fleet
