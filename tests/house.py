"""A small verifier's house for tests: a store, one enrolled board of the forge, a pipeline."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

import forge
from troth import catalogue
from troth.core.device import Lifecycle, Profile, Provisioning
from troth.core.keyring import KeyRing
from troth.core.reference import Policy, Release, Statement
from troth.core.verdict import Catalogue
from troth.ingest.pipeline import Pipeline
from troth.ingest.results import Results
from troth.store import DeviceRow, KeyRow, Store

NOW = 1_790_000_000
MODEL = "THERM-1"


@cache
def duties() -> Catalogue:
    return catalogue.bundled()


@cache
def _empty_store() -> bytes:
    """All migrations take longer than most tests: they are run once."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "troth.db"
        Store.open(f"sqlite:///{file}", create=True).close()
        return file.read_bytes()


def new_store(folder: Path) -> Store:
    file = folder / "troth.db"
    if not file.exists():
        file.write_bytes(_empty_store())
    return Store.open(f"sqlite:///{file}", create=True)


def enrol(
    store: Store, board: forge.Device, *, at: int = NOW, profile: Profile = Profile.P2
) -> str:
    """Register a board of the forge as the factory would; returns our id of it."""
    ident = store.new_device_id()
    row = DeviceRow(
        id=ident,
        name=board.name,
        ueid=board.ueid.hex(),
        mac=board.mac.hex(),
        model=MODEL,
        chip=board.said["chip"],
        lifecycle=Lifecycle.ACTIVE,
    )
    mac = isinstance(board, forge.MacDevice)
    key = KeyRow(
        board.key_id,
        ident,
        board.ueid.hex(),
        None if mac else board.public_key,
        5 if mac else -7,
        origin="efuse" if mac else "nvs",
    )
    store.enroll(row, key, at=at)
    seen = Provisioning(at, profile, board.said["fuses"].hex(), board.set_digest())
    store.add_provisioning(ident, seen)
    return ident


def release(
    board: forge.Device, *, version: str = "1.4.2", released: int = NOW - 86_400
) -> Release:
    """The release that an honest board of the forge runs."""
    return Release(
        id=hashlib.sha256(f"{MODEL} {version}".encode()).hexdigest(),
        model=MODEL,
        chip=board.said["chip"],
        version=version,
        released=released,
        app_digest=forge.digest_of(f"app {version}").hex(),
        code_digest=forge.digest_of(f"code {version}").hex(),
        cfg_digest=forge.digest_of(f"cfg {version}").hex(),
        secure_version=0,
        boot_key_digests=(forge.digest_of("maker boot key").hex(),),
        anti_rollback=False,
        secret_hits=0,
        statement=Statement(support_end=NOW + 10 * 365 * 86_400, markets=("eu",)),
    )


POLICY = Policy(anchors=(forge.digest_of("anchor").hex(),), max_reconnects=1_000_000)


def ear_key(seed: int = 7) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(seed, ec.SECP256R1())


def pipeline(
    store: Store,
    *,
    clock: Callable[[], int] = lambda: NOW,
    ttl_s: int = 300,
    master: bytes = forge.MASTER,
) -> Pipeline:
    return Pipeline(
        store,
        duties(),
        POLICY,
        Results(ear_key()),
        clock=clock,
        ttl_s=ttl_s,
        ring=KeyRing(lambda: master),
    )


class Clock:
    """A clock that a test moves."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now
