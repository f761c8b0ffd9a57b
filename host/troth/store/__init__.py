"""What Troth remembers: one door (`Store`), rows as frozen values, nothing ever overwritten."""

from .changes import Accepted, Recorded, Refused, Spent, Subjects
from .engine import StoreUnavailable
from .rows import (
    AuditRow,
    BaselineRow,
    ChallengeRow,
    DeviceRow,
    EvidenceRow,
    IntervalRow,
    KeyRow,
    ProvisioningRow,
    RejectionRow,
    ReleaseRow,
    SetRow,
    StatementRow,
    StateRow,
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
    "Store",
    "StoreUnavailable",
    "Subjects",
    "WaiverEnd",
    "WaiverRow",
]
