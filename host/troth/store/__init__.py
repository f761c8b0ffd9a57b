"""What Troth remembers: one door (`Store`), rows as frozen values, nothing ever overwritten."""

from .changes import Accepted, Recorded, Refused, Spent, Subjects
from .engine import StoreUnavailable
from .rows import (
    AuditRow,
    BaselineRow,
    ChallengeRow,
    DeviceRow,
    EvidenceRow,
    FeedRow,
    IncidentRow,
    IntervalRow,
    KeyRow,
    ProvisioningRow,
    RejectionRow,
    ReleaseRow,
    SetRow,
    StatementRow,
    StateRow,
    StepRow,
    WaiverEnd,
    WaiverRow,
)
from .store import Store

__all__ = [
    "Accepted",
    "AuditRow",
    "BaselineRow",
    "ChallengeRow",
    "DeviceRow",
    "EvidenceRow",
    "FeedRow",
    "IncidentRow",
    "IntervalRow",
    "KeyRow",
    "ProvisioningRow",
    "Recorded",
    "Refused",
    "RejectionRow",
    "ReleaseRow",
    "SetRow",
    "Spent",
    "StateRow",
    "StatementRow",
    "StepRow",
    "Store",
    "StoreUnavailable",
    "Subjects",
    "WaiverEnd",
    "WaiverRow",
]
