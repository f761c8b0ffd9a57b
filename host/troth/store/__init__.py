"""What Troth remembers: one door (`Store`), rows as frozen values, nothing ever overwritten."""

from .changes import Accepted, Count, Recorded, Refused, Spent, Subjects
from .engine import StoreUnavailable
from .flocks import Flock, Key, Limits, Window
from .following import Course, Lead
from .intervals import Turned
from .kinds import Standing, Told
from .rows import (
    AuditRow,
    BaselineRow,
    ChallengeRow,
    DeviceRow,
    EvidenceRow,
    FeedRow,
    IncidentRow,
    IntervalRow,
    JudgedRow,
    KeyRow,
    ProvisioningRow,
    RejectionRow,
    ReleaseRow,
    Rules,
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
    "Course",
    "DeviceRow",
    "EvidenceRow",
    "FeedRow",
    "Flock",
    "IncidentRow",
    "IntervalRow",
    "JudgedRow",
    "Key",
    "KeyRow",
    "Lead",
    "Limits",
    "ProvisioningRow",
    "Recorded",
    "Refused",
    "RejectionRow",
    "ReleaseRow",
    "Rules",
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
    "Turned",
    "WaiverEnd",
    "WaiverRow",
    "Window",
]
