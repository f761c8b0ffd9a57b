"""The numbers of the profile agree with the registries they come from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from troth.core.labels import SET_CLAIMS, TOKEN_CLAIMS
from troth.formats import eat

PEERS = Path(__file__).parents[1] / "../shared/vectors/eat-rfc9711/cddl/claim-labels.cddl"
NAMES = {
    eat.NONCE: "nonce",
    eat.UEID: "ueid",
    eat.UPTIME: "uptime",
    eat.EAT_PROFILE: "profile",
    eat.SUBMODS: "submods",
    eat.BOOTCOUNT: "boot-count",
    eat.BOOTSEED: "boot-seed",
    258: "oemid",
    259: "hardware-model",
    262: "oem-boot",
    263: "debug-status",
    270: "sw-name",
    271: "sw-version",
    eat.MEASUREMENTS: "measurements",
}


@pytest.mark.skipif(not PEERS.exists(), reason="RFC 9711's CDDL is not beside this checkout")
def test_the_labels_are_those_of_rfc_9711() -> None:
    rows = re.findall(r"^([\w-]+)-label\s*=\s*JC<[^,]*,\s*(\d+)\s*>", PEERS.read_text(), re.M)
    registry = {int(label): name for name, label in rows}
    assert {label: registry.get(label) for label in NAMES} == NAMES


def test_every_standard_label_is_named_here() -> None:
    ours = {*TOKEN_CLAIMS, *SET_CLAIMS} - {eat.IAT, eat.PRIVATE, eat.COUNTER, eat.DROPPED}
    assert ours == set(NAMES)


def test_private_use_labels_are_in_the_private_range() -> None:
    assert max(eat.PRIVATE, eat.COUNTER, eat.DROPPED) < -65536  # RFC 8392 section 9.1
    assert 65000 <= eat.MEASURED_COMPONENT <= 65535  # RFC 7252 section 12.3: experimental
