"""What Troth remembers: one door (`Store`), rows as frozen values, nothing ever overwritten."""

from .changes import Accepted, Count, Recorded, Refused, Spent, Subjects
from .engine import StoreUnavailable
from .following import Flock, Member
from .kinds import Head, Standing, Told
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
    "Count",
    "DeviceRow",
    "EvidenceRow",
    "FeedRow",
    "Flock",
    "Head",
    "IncidentRow",
    "IntervalRow",
    "KeyRow",
    "Member",
    "ProvisioningRow",
    "Recorded",
    "Refused",
    "RejectionRow",
    "ReleaseRow",
    "SetRow",
    "Spent",
    "Standing",
    "StateRow",
    "StatementRow",
    "StepRow",
    "Store",
    "StoreUnavailable",
    "Subjects",
    "Told",
    "WaiverEnd",
    "WaiverRow",
]
