"""One device's whole case in one file: evidence, keys, references, rules, policy and verdicts.

A zip of stored files in one order and without a clock, so that the same case is the same bytes
and one flipped byte is found: a bundle is read only when packing it again gives the very same
bytes. The secret of a MAC key is never in it; such evidence is judged again beside its master.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from ..catalogue.loader import HERE, load
from ..core.keyring import KeyRing
from ..core.reference import Policy
from ..core.verdict import Catalogue, State
from ..store import Store
from ..store.rows import DeviceRow, EvidenceRow
from ..trouble import Trouble
from . import proof
from .offline import Opinion, verify_bytes
from .words import iso

SCHEMA = "troth/bundle/1"
LAST = 20  # reports that are judged again, unless more are asked for
_MOST = 1 << 28
_NO_ZIP = (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError, RuntimeError)
_EPOCH = (1980, 1, 1, 0, 0, 0)  # a zip knows no earlier day


class Fate(StrEnum):
    """What became of one verdict when it was asked for again."""

    SAME = "reproduced"
    OTHER = "differs"
    UNKNOWN = "cannot tell"  # its key's secret is not here


@dataclass(frozen=True, slots=True)
class Again:
    """One verdict, asked for again."""

    evidence: int
    at: int
    state: State | None
    recorded: State  # what the verifier wrote down when the report came
    fate: Fate
    why: str = ""


@dataclass(frozen=True, slots=True)
class Reproduced:
    device: str
    engine: str
    catalogue: str
    references: str
    made: str
    verdicts: tuple[Again, ...]

    @property
    def fates(self) -> set[Fate]:
        return {each.fate for each in self.verdicts}


def make(
    store: Store,
    policy: Policy,
    catalogue: Catalogue,
    device: DeviceRow,
    *,
    now: int,
    ring: KeyRing | None = None,
    last: int = LAST,
) -> bytes:
    """The bundle of a device, with the verdicts on its newest reports."""
    references = proof.references(store, now)
    rows = store.take_out(device.id, device.model)
    files = dict(_rules(policy))
    files["rows.json"] = _json(rows)
    files["policy.json"] = _json(asdict(replace(policy, packs=())))
    for row in store.evidences(device.id, limit=last):
        opinion = _judge(store, policy, catalogue, row, ring)
        if opinion.verdict is not None:
            files[_name(row.id)] = _verdict(opinion, catalogue, row, references)
    files["manifest.json"] = _json(
        {
            "schema": SCHEMA,
            "device": device.name,
            "made": iso(now),
            "engine": proof.ENGINE,
            "catalogue": catalogue.digest,
            "references": references,
            "left_out": ["the secrets of MAC keys", "other devices", "answers over time"],
            "files": {name: _digest(raw) for name, raw in sorted(files.items())},
        }
    )
    return _pack(files)


def check(raw: bytes, *, ring: KeyRing | None = None) -> Reproduced:
    """Judge everything in a bundle again. Trouble `bundle.altered` when a byte is another."""
    files = _unpack(raw)
    said = json.loads(files["manifest.json"])
    with TemporaryDirectory(prefix="troth-bundle-") as folder:
        place = Path(folder)
        catalogue = _catalogue(files, place)
        policy = _policy(files)
        with Store.open(f"sqlite:///{place / 'case.db'}", create=True) as store:
            store.put_in(_rows(files))
            again = tuple(_again(store, policy, catalogue, files, said["references"], ring))
    if catalogue.digest != said["catalogue"]:
        raise _altered("its rules are not those that it names")
    return Reproduced(
        said["device"],
        said["engine"],
        said["catalogue"],
        said["references"],
        said["made"],
        again,
    )


def _again(
    store: Store,
    policy: Policy,
    catalogue: Catalogue,
    files: Mapping[str, bytes],
    references: str,
    ring: KeyRing | None,
) -> Iterator[Again]:
    for name in sorted(name for name in files if name.startswith("verdicts/")):
        row = store.evidence(int(PurePosixPath(name).stem))
        if row is None:
            raise _altered(f"{name} is about evidence that is not here")
        try:
            opinion = _judge(store, policy, catalogue, row, ring)
        except Trouble as err:
            yield Again(row.id, row.received, None, row.state, Fate.UNKNOWN, err.what)
            continue
        if opinion.verdict is None:
            why = opinion.refusal.code if opinion.refusal else ""
            yield Again(row.id, row.received, None, row.state, Fate.OTHER, f"refused: {why}")
            continue
        same = _verdict(opinion, catalogue, row, references) == files[name]
        fate = Fate.SAME if same else Fate.OTHER
        yield Again(row.id, row.received, opinion.verdict.state, row.state, fate)


def _judge(
    store: Store,
    policy: Policy,
    catalogue: Catalogue,
    row: EvidenceRow,
    ring: KeyRing | None,
) -> Opinion:
    challenge = store.challenge(row.session)
    return verify_bytes(
        store,
        policy,
        catalogue,
        row.raw,
        now=row.received,
        nonce=challenge.challenge.nonce if challenge else None,
        ring=ring,
    )


def _verdict(opinion: Opinion, catalogue: Catalogue, row: EvidenceRow, references: str) -> bytes:
    if opinion.verdict is None:
        raise ValueError("no verdict on what was refused")
    said = proof.document(
        opinion.verdict, catalogue, evidence=row.id, at=row.received, references=references
    )
    return proof.text(said).encode()


# --- the rules and the policy -----------------------------------------------------------------


def _rules(policy: Policy) -> Iterator[tuple[str, bytes]]:
    """The catalogue's own text, and that of every pack."""
    folders = [("catalogue", HERE)]
    folders += [(f"packs/{number}", Path(pack)) for number, pack in enumerate(policy.packs)]
    for name, folder in folders:
        for path in sorted(folder.rglob("*.yaml")):
            yield f"{name}/{path.relative_to(folder).as_posix()}", path.read_bytes()


def _catalogue(files: Mapping[str, bytes], place: Path) -> Catalogue:
    packs = set()
    for name, raw in files.items():
        path = PurePosixPath(name)
        if path.parts[0] not in ("catalogue", "packs"):
            continue
        target = place.joinpath(*path.parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(raw)
        if path.parts[0] == "packs":
            packs.add(int(path.parts[1]))
    return load(place / "catalogue", [place / "packs" / str(n) for n in sorted(packs)]).catalogue


def _policy(files: Mapping[str, bytes]) -> Policy:
    said: dict[str, Any] = json.loads(files["policy.json"])
    said |= {name: tuple(value) for name, value in said.items() if isinstance(value, list)}
    return Policy(**said)


# --- the file ---------------------------------------------------------------------------------


def _pack(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as packed:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system, info.external_attr = 3, 0o644 << 16
            packed.writestr(info, files[name])
    return out.getvalue()


def _unpack(raw: bytes) -> dict[str, bytes]:
    """Every file, once the whole is known to be as it was made."""
    if len(raw) > _MOST:
        raise Trouble("bundle.size", f"more than {_MOST >> 20} MiB", fix="give a bundle of Troth's")
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as packed:
            infos = packed.infolist()
            if any(each.compress_type != zipfile.ZIP_STORED for each in infos):
                raise _altered("a bundle's files are stored as they are")
            files = {each.filename: packed.read(each) for each in infos}
    except _NO_ZIP as err:
        raise _altered(str(err)) from err
    if "manifest.json" not in files or _pack(files) != raw:
        raise _altered("packed again it gives other bytes")
    said = json.loads(files["manifest.json"])
    named = {name: _digest(each) for name, each in files.items() if name != "manifest.json"}
    if said.get("schema") != SCHEMA or said.get("files") != named:
        raise _altered("its manifest names other files")
    if any(".." in PurePosixPath(name).parts or name.startswith("/") for name in files):
        raise _altered("a file lies outside")
    return files


def _altered(why: str) -> Trouble:
    return Trouble(
        "bundle.altered",
        "this is no bundle, or not as it was made",
        why=why,
        fix="ask who made it for the file: troth evidence bundle DEVICE -o FILE",
    )


def _json(said: Any) -> bytes:
    return (json.dumps(said, indent=1, sort_keys=True, default=_bytes) + "\n").encode()


def _bytes(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    raise TypeError(f"a row holds a {type(value).__name__}")


def _rows(files: Mapping[str, bytes]) -> dict[str, list[dict[str, Any]]]:
    def plain(said: dict[str, Any]) -> Any:
        return bytes.fromhex(said["hex"]) if set(said) == {"hex"} else said

    found: dict[str, list[dict[str, Any]]] = json.loads(files["rows.json"], object_hook=plain)
    return found


def _name(ident: int) -> str:
    return f"verdicts/{ident:012}.json"


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
