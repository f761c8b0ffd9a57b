"""Many healthy boards of one sold product, forged and enrolled: the fleet that is measured on.

Consumer units on the EU market, so that every rule and regime has its say; all meet their duties.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import forge
from standing import release
from troth.core.device import Lifecycle, Profile, Provisioning
from troth.core.reference import Policy
from troth.store import DeviceRow, KeyRow, Store

MODEL, CHIP, VERSION = "therm-v2", "esp32s3", "1.4.0"
DAY = 86_400
POLICY = Policy(anchors=(forge.digest_of("anchor").hex(),), max_reconnects=1_000_000)
SAID: dict[str, Any] = {
    "hwmodel": MODEL.encode(),
    "swname": MODEL,
    "swversion": [VERSION],
    "app_digest": forge.digest_of(f"app {MODEL} {VERSION}"),
    "code_digest": forge.digest_of(f"code {MODEL} {VERSION}"),
    "cfg_digest": forge.digest_of(f"cfg {MODEL}"),
    "secver_fuse": 1,
    "app_secver": 1,
}


def enrol(store: Store, count: int, *, at: int) -> list[forge.Device]:
    """Boards with one claims-set and `count` keys, made and sold before `at`."""
    made = release(MODEL, CHIP, VERSION, days_ago=45)
    statement = replace(made.statement, support_end=at + 5 * 365 * DAY) if made.statement else None
    store.add_release(replace(made, released=at - 45 * DAY, statement=statement), b"{}", at=at)
    boards = [forge.Device(seed, chip=CHIP) for seed in range(1, count + 1)]
    for board in boards:
        board.said |= SAID
        _enrol(store, board, at - 30 * DAY)
    return boards


def _enrol(store: Store, board: forge.Device, at: int) -> None:
    row = DeviceRow(
        id=store.new_device_id(),
        name=board.name,
        ueid=board.ueid.hex(),
        mac=board.mac.hex(),
        model=MODEL,
        chip=CHIP,
        lifecycle=Lifecycle.ACTIVE,
        market="eu",
        product_class="consumer",
        own_use=False,
        placed_on_market=at,
        created=at,
    )
    store.enroll(row, KeyRow(board.key_id, row.id, row.ueid, board.public_key, created=at), at=at)
    line = Provisioning(at, Profile.P2, board.said["fuses"].hex(), board.set_digest())
    store.add_provisioning(row.id, line)
