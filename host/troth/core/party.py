"""Who owes what falls short: decided by the evidence, case by case (HOUSE "Who owes it").

The law's addressee is the duty's own party. Its `owed` cases move the finding to whoever made it
so: what is as shipped, or stood in the line's record already, is the maker's; what changed since,
or a fix that waits longer than the grace, is the operator's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .duties import Duty, Facts, Owed, Party, Reason

DAY = 86_400
WORDS = ("as-shipped", "record-shows", "newer-release", "no-fix", "default")


def owed(facts: Facts, duty: Duty, reason: Reason | None) -> tuple[Party, str]:
    """The first case of the duty that holds, and the sentence that says why."""
    if reason is not None and reason.value != "withheld":
        return duty.party, _UNSHOWN[reason.value]
    for case in duty.owed:
        if _holds(facts, duty, case):
            return case.party, case.because or _sentence(facts, case.when)
    return duty.party, f"this duty is the {duty.party}'s"


_UNSHOWN = {
    "profile-cannot": "this board does not show it",
    "undeclared": "a declaration is owed",
    "no-feed": "nothing was observed yet",
}


def _holds(facts: Facts, duty: Duty, case: Owed) -> bool:
    match case.when:
        case "as-shipped":
            return facts.r.as_shipped
        case "record-shows":
            record = facts.u.provisioning
            return record is not None and duty.id in record.failing
        case "newer-release":
            waited, grace = _waited(facts), facts.r.fix_grace
            return waited is not None and grace is not None and waited >= grace
        case "no-fix":
            return newer_since(facts) is None
        case _:
            return True


def newer_since(facts: Facts) -> int | None:
    """When the first release that is newer than the running one came out."""
    return facts.r.newer_since if facts.r.newer_since is not None else facts.v.newer_release_since


def turns(facts: Facts, duty: Duty) -> int | None:
    """When the clock alone hands the finding over: at the end of the grace."""
    newer, grace = newer_since(facts), facts.r.fix_grace
    if newer is None or grace is None or all(case.when != "newer-release" for case in duty.owed):
        return None
    return newer + grace


def _waited(facts: Facts) -> int | None:
    newer = newer_since(facts)
    return None if newer is None else facts.now - newer


def _sentence(facts: Facts, when: str) -> str:
    release = facts.r.release
    match when:
        case "as-shipped" if release is not None:
            return f"image, code and settings are those of the signed release {release.version}"
        case "record-shows":
            return "the provisioning record of the line already shows it"
        case "newer-release":
            days, grace = (_waited(facts) or 0) // DAY, (facts.r.fix_grace or 0) // DAY
            return f"a fixed release is out for {days} days, the grace is {grace}"
        case "no-fix":
            return "no fixed release is out"
        case _ if release is not None and not facts.r.as_shipped:
            return f"the unit differs from the signed release {release.version}"
        case _ if release is None:
            return "the unit does not run a signed release of its model"
        case _:
            return "nothing shows that it left the maker so"
