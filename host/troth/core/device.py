"""One device as we know it, apart from what it says: registration and observed history."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple


class Profile(StrEnum):
    """Trust profile, from the provisioning record, never from the device (HOUSE: trust)."""

    P0 = "P0"  # stock firmware, software key in plain NVS
    P1 = "P1"  # stock firmware, hardware key
    P2 = "P2"  # secure boot, frozen agent, REPL sealed


# what a product is or does, where law asks for it; told by its maker's declaration
TRAITS = (
    *("personal-data", "traffic-data", "location-data", "children", "money"),
    "network-equipment",
)


class Lifecycle(StrEnum):
    PREREGISTERED = "preregistered"
    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Provisioning:
    """What the factory line saw and wrote down; the fuses are monotonic from here on."""

    at: int  # unix s
    profile: Profile
    fuses: str  # hex, as in DeviceClaims.fuses
    claims_digest: bytes  # the set of the first verified attestation
    failing: tuple[str, ...] = ()  # duties that the line's own record already showed unmet


@dataclass(frozen=True, slots=True)
class Registration:
    """Device-scoped `r.` names, from our own registry."""

    device: str
    ueid: str  # hex
    model: str | None
    chip: str | None
    enrolled: bool = True
    decommissioned: bool = False
    ueid_owners: int = 1
    key_owners: int = 1
    key_origin: str = "nvs"  # nvs efuse ds secure-element
    key_alg: str = "ES256"  # of its newest key, in the words of the policy
    market: str | None = None
    product_class: str | None = None  # consumer industrial; None: own use
    own_use: bool = True
    monitoring_optout: bool = False
    placed_on_market: int | None = None  # unix s; None: own use, never placed
    modified: int | None = None  # when it was last substantially modified, unix s
    lifecycle: Lifecycle = Lifecycle.ACTIVE
    provisioning: Provisioning | None = None
    # no names of rules: what makes a conditional line of a regime count
    traits: frozenset[str] = frozenset()
    # no names of rules: what a waiver may go by
    site: str | None = None
    tags: tuple[str, ...] = ()
    created: int | None = None  # when it was enrolled, unix s


class Observed(NamedTuple):  # made anew for each report: a fifth of the price of a data class
    """`v.` names: what the verifier saw itself. None: no feed.

    First what every report may move, of that first what every report does move.
    """

    last_evidence: int | None = None
    skew_s: int | None = None
    boot_forks: int | None = None
    counter_regressions: int | None = None
    reconnects_per_h: int | None = None
    boots_24h: int | None = None
    ueid_bound_to_key: bool | None = None
    sig_alg: str | None = None
    fuse_regressions: int | None = None
    newer_release_since: int | None = None
    support_end_max_seen: int | None = None
    shown_before: frozenset[str] = frozenset()  # d. names that this same firmware showed before


def fuse_regressions(recorded: str, reported: str) -> int:
    """Count the fuses that were burned in the record and are not burned in the report.

    Both are hex as in DeviceClaims.fuses; words that one side leaves out count as not burned.
    """
    return (fuse_bits(recorded) & ~fuse_bits(reported)).bit_count()


@lru_cache(maxsize=256)
def fuse_bits(words: str) -> int:
    """The fuses as one number, a bit for each that is burned."""
    return int.from_bytes(bytes.fromhex(words), "little")
