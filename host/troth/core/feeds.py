"""`v.` names that come from feeds: what the verifier was brought, and how old that is.

None is "no feed", never "nothing found": only a feed that was read can say that there is nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

NEVER = 253_402_300_799  # 9999-12-31T23:59:59Z: nothing is due


@dataclass(frozen=True, slots=True)
class Feeds:
    """For one model and the release that a unit runs; instants are unix seconds."""

    vuln_feed_at: int | None = None  # when its source was last brought up to date
    vulns_open: tuple[str, ...] | None = None  # exploited, or above the policy's score
    vulns_fixable: tuple[str, ...] | None = None  # those that a newer release fixes
    fix_released: int | None = None  # the first release that fixes one; None: no fix is out
    vulns_fixed: tuple[str, ...] | None = None  # those that the running release has fixed
    vulns_unadvised: tuple[str, ...] | None = None  # fixed ones without an advisory
    sbom_valid: bool | None = None
    sbom_subject_digest: str | None = None  # the app image that it names
    sbom_missing: tuple[str, ...] | None = None  # parts of the release that it leaves out
    sbom_at: int | None = None
    components_eol: tuple[str, ...] | None = None
    component_feed_at: int | None = None
    contact_ok: bool | None = None
    contact_checked: int | None = None
    contact_expires: int | None = None  # NEVER: its page names no end
    incident_feed_at: int | None = None  # when the register was last found complete
    exploited_count: int | None = None
    exploited_due: int | None = None  # by when the next filing must be made; NEVER: none is due
    exploited_late: tuple[str, ...] | None = None
    severe_count: int | None = None
    severe_due: int | None = None
    severe_late: tuple[str, ...] | None = None


NO_FEEDS = Feeds()
