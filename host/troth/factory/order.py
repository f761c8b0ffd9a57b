"""What the line is asked to make of a board, and the verifier that it asks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..core.claims import ClaimsSet
from ..core.device import Profile, Registration
from ..core.freshness import Challenge
from ..core.keyring import KeyRing
from ..core.verify import Report
from .enrol import Sale
from .passwords import Passwords

CA_FILE = "/troth-ca.der"


@dataclass(frozen=True, slots=True)
class Preview:
    """What a unit would be found, and which duties it demonstrably does not meet."""

    told: dict[str, Any]
    short: tuple[str, ...]


class Verifier(Protocol):
    """The verifier behind the line, in this process."""

    @property
    def ring(self) -> KeyRing:
        """The MAC keys that boards of this home hold in a fuse."""

    def challenge(self, ueid: bytes) -> Challenge: ...

    def preview(
        self, unit: Registration, report: Report, claims_set: ClaimsSet, sealed: bool
    ) -> Preview:
        """Judge a unit as it leaves the line; nothing is recorded."""

    def submit(self, session: str, raw: bytes) -> dict[str, Any]:
        """Judge and record; `state`, `failing`, `owed_by`."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the line was asked to make of every board."""

    url: str  # https:// or mqtts://
    ca: bytes  # DER
    receipt_key: str = ""  # hex x || y: under which the verifier signs its receipts
    fresh: str = "challenge"  # or epoch: answer handles that are good for a period
    files: Mapping[str, bytes] | None = None
    model: str | None = None
    name: str | None = None
    sale: Sale = field(default_factory=Sale)
    sale_given: bool = False
    profile: Profile | None = None  # None: as the line sees it
    seal: bool = False
    seal_anyway: bool = False  # what it runs need not be released
    rekey: bool = False
    passwords: Passwords | None = None  # of boards behind a broker

    def settle(self, settings: Mapping[str, Any], mac: str) -> bytes:
        """The maker's settings and what the line adds: the file that lies on the board."""
        link = {"url": self.url, "link": self.url.split("://")[0], "ca": CA_FILE}
        said = {**settings, **link, "fresh": self.fresh}
        if self.receipt_key:
            said["receipt_key"] = self.receipt_key
        if self.passwords:
            said["password"] = self.passwords.of("02" + mac)  # its user name is its ueid
        return json.dumps(said, indent=2, sort_keys=True).encode() + b"\n"
