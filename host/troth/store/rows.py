"""What the store remembers, row by row: frozen values, with core types wherever one exists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ..core.device import Lifecycle, Provisioning
from ..core.duties import Appraisal
from ..core.freshness import Challenge, Freshness
from ..core.incident import Incident
from ..core.reference import Release, Statement
from ..core.verdict import State
from ..core.waiver import Waiver


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """One unit as the operator registered it. `id` is ours and never changes; `name` is free."""

    id: str
    name: str
    ueid: str  # hex
    mac: str | None  # hex, 12 digits
    model: str | None
    chip: str | None
    lifecycle: Lifecycle
    market: str | None = None
    product_class: str | None = None
    own_use: bool = True
    placed_on_market: int | None = None
    monitoring_optout: bool = False
    site: str | None = None
    tags: tuple[str, ...] = ()
    created: int = 0
    modified: int | None = None


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key bound to one device; a replaced key opens a new epoch, history keeps the old.

    Never a secret: a MAC key (algorithm 5) is known by its id, and derived when it is needed.
    """

    kid: bytes
    device: str
    ueid: str
    public_key: bytes | None  # 64 bytes, x || y; None: of a MAC key
    algorithm: int = -7
    origin: str = "nvs"  # nvs efuse ds secure-element
    epoch: int = 1
    created: int = 0
    revoked: int | None = None
    retired: bool = False  # since `revoked`, and in good order: another took its place


@dataclass(frozen=True, slots=True)
class ProvisioningRow:
    """One line's record of one unit; the newest counts, all are kept."""

    device: str
    provisioning: Provisioning
    record: bytes  # the line's own record, as written (JSON)


@dataclass(frozen=True, slots=True)
class ChallengeRow:
    """A challenge and, once spent, what spent it and the answer that it got."""

    challenge: Challenge
    spent_at: int | None
    spent_by: bytes | None  # SHA-256 of the message that spent it
    answer: str | None  # the signed result, given again to the very same bytes


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """One accepted report, its bytes kept as they came."""

    id: int
    device: str
    key_id: bytes
    epoch: int
    session: str
    received: int
    raw: bytes
    set_digest: bytes
    uptime_s: int
    boot_count: int
    boot_seed: bytes
    issued_at: int | None
    state: State  # of late evidence: what it would have been
    counter: int | None = None
    freshness: Freshness = Freshness.CHALLENGE
    given: int = 0  # not before; without a handle the instant at which it was received


class Counted(NamedTuple):
    """Where a report stands among those that its board signed."""

    epoch: int
    boot: int
    seed: bytes
    counter: int
    received: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class SetRow:
    """A claims-set by its digest: bytes and the instant of its first use."""

    digest: bytes
    raw: bytes
    first_seen: int


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """One answer of one duty for one subject, from `since` to `to` (None: it still holds)."""

    id: int | None  # None: it stands on a sheet that the unit held
    subject_kind: str  # unit release model maker
    subject: str  # device id, release id, model, maker
    appraisal: Appraisal
    evidence: int | None  # the report that brought the answer; None: the clock did
    since: int
    to: int | None


@dataclass(frozen=True, slots=True)
class StateRow:
    """A device's state over one interval, always with the duty set that it is measured by."""

    id: int
    device: str
    state: State
    regimes: tuple[str, ...]
    duty_set: str  # digest
    mandatory: tuple[str, ...]
    failing: tuple[str, ...]
    until: int | None  # the clock alone cannot change it before
    evidence: int | None
    since: int
    to: int | None


@dataclass(frozen=True, slots=True)
class RejectionRow:
    """A refused message, under the device whose key signed it, when that is known."""

    id: int
    at: int
    device: str | None
    key_id: bytes | None
    session: str | None
    code: str
    path: str
    offset: int | None
    text: str
    raw: bytes  # its beginning, bounded


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """A release and its signed records: of the release, and of the withdrawal if there is one."""

    release: Release
    record: bytes
    withdrawal: bytes | None
    added: int


@dataclass(frozen=True, slots=True)
class StatementRow:
    """A maker's statement for a model, as of `at`; earlier ones are kept."""

    model: str
    statement: Statement
    record: bytes
    at: int


@dataclass(frozen=True, slots=True)
class BaselineRow:
    """Settings that somebody approved, for one device or for a model."""

    id: int
    scope: str  # device model
    subject: str
    cfg_digest: str
    at: int
    by: str
    record: bytes


@dataclass(frozen=True, slots=True)
class WaiverEnd:
    """How a waiver ended: revoked, or expired by the clock alone."""

    at: int
    how: str  # revoked expired
    by: str
    because: str = ""
    record: bytes = b""  # the signed revocation


@dataclass(frozen=True, slots=True)
class WaiverRow:
    """A waiver with its signed record, and its end once it came."""

    waiver: Waiver
    record: bytes
    end: WaiverEnd | None


class FeedRow(NamedTuple):
    """What one feed brought; its document is asked for apart."""

    id: int
    kind: str  # osv kev vex sbom eol contact
    source: str
    subject: str
    at: int
    items: int
    digest: str
    added: int
    by: str
    proof: str = ""  # what lay beside its documents, in words


class IncidentRow(NamedTuple):
    """An incident, and who wrote it down when."""

    incident: Incident
    added: int
    by: str


class Stood(NamedTuple):
    """A release, model or maker that a device stood under, from when to when."""

    kind: str
    subject: str
    since: int
    to: int | None


class StepRow(NamedTuple):
    """One step of an incident; the register's own when no incident is named."""

    incident: str
    step: str
    at: int
    ref: str
    added: int
    by: str


class Rules(NamedTuple):
    """All that judges: a catalogue by its digest, and a policy's numbers."""

    catalogue: str = ""
    policy: str = ""


class JudgedRow(NamedTuple):
    """From when on everybody was judged by these rules, and how the records stood at the last."""

    at: int
    rules: Rules
    generation: int


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One leaf of the audit chain: `digest` covers this row and the one before."""

    id: int
    at: int
    actor: str
    action: str
    subject: str
    detail: str
    digest: bytes
