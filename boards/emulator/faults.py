"""What can be wrong with a board, and what each fault must cause: no more and no less."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from emulator.trouble import USAGE, Trouble

FACTORY, FIELD, STATEMENT = "factory", "field", "statement"
BOTH = ("P0", "P2")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: when it strikes, on which profiles, and the findings it must lead to."""

    name: str
    title: str
    when: str
    duties: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    state: str = "non-compliant"
    profiles: tuple[str, ...] = BOTH


FAULTS = {
    fault.name: fault
    for fault in (
        Fault(
            "webrepl-on",
            "WebREPL started by hand, gone at power-off",
            FIELD,
            ("surface.no-webrepl", "cfg.no-drift"),
        ),
        Fault(
            "webrepl-technician",
            "a technician left WebREPL on, with its files",
            FIELD,
            ("surface.no-webrepl", "boot.files-known", "cfg.no-drift"),
        ),
        Fault(
            "webrepl-shipped",
            "the release itself ships WebREPL on, with one password for all",
            FACTORY,
            ("surface.no-webrepl", "store.no-hardcoded"),
            ("auth.no-default-password",),
        ),
        Fault(
            "tampered-firmware",
            "an app image that no release knows",
            FIELD,
            ("boot.firmware-known",),
        ),
        Fault(
            "old-firmware",
            "an older release, since withdrawn",
            FIELD,
            ("upd.current", "upd.not-withdrawn"),
        ),
        Fault("changed-file", "one code file edited in the field", FIELD, ("boot.files-known",)),
        Fault(
            "open-ap",
            "an open access point is switched on",
            FIELD,
            ("surface.no-open-ap", "cfg.no-drift"),
        ),
        Fault(
            "debug-open",
            "the line never burned the JTAG fuse",
            FACTORY,
            ("surface.debug-locked",),
            profiles=("P2",),
        ),
        Fault(
            "wrong-key",
            "every other report is signed by a key that was never enrolled",
            FIELD,
            rejected=("key.unknown",),
            state="compliant",
        ),
        Fault(
            "replay",
            "every other report is an old one in a new session",
            FIELD,
            rejected=("nonce.replayed",),
            state="compliant",
        ),
        Fault(
            "impostor",
            "speaks for another board, then replays that board's last report",
            FIELD,
            rejected=("id.mismatch", "nonce.replayed"),
            state="compliant",
        ),
        Fault("silent", "no more reports", FIELD, ("attest.fresh",), state="stale"),
        Fault(
            "support-shortened",
            "the maker's new statement moves the support end earlier",
            STATEMENT,
            findings=("support.not-shortened",),
        ),
    )
}


def as_rows() -> list[dict[str, Any]]:
    """The list as `emu faults --json` prints it."""
    return [
        {
            "name": fault.name,
            "duties": list(fault.duties),
            "findings": list(fault.findings),
            "rejected": list(fault.rejected),
            "state": fault.state,
            "profiles": list(fault.profiles),
            "when": fault.when,
            "title": fault.title,
        }
        for fault in FAULTS.values()
    ]


def check_known(name: str) -> Fault | None:
    """The fault of that name; `none` is no fault."""
    if name == "none":
        return None
    if name not in FAULTS:
        raise Trouble(
            "fault.unknown", f"no fault is called {name}", "see them: troth emu faults", USAGE
        )
    return FAULTS[name]


def check_profile(name: str, profile: str) -> None:
    """Some faults need a hardened board to be faults at all."""
    fault = check_known(name)
    if fault and profile not in fault.profiles:
        raise Trouble(
            "fault.profile",
            f"{name} is no fault of a {profile} board",
            f"--profile {fault.profiles[0]}",
            USAGE,
        )


def check_field(name: str) -> None:
    """What the factory builds in cannot be done to a board that runs."""
    fault = check_known(name)
    if fault and fault.when == FACTORY:
        raise Trouble(
            "fault.factory",
            f"{name} is built in at the factory: a burned fuse stays burned, a release is signed",
            f"start a new board: troth emu run --profile {fault.profiles[-1]} --fault {name}",
        )
