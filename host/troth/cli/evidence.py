"""troth evidence: show a report, compare it with its reference, verify any bytes offline."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from ..core.duties import Outcome
from ..core.freshness import Freshness
from ..core.verdict import State
from ..fleet.words import STATE_GLYPH, iso, plain
from ..trouble import Trouble
from . import documents, seals
from .desk import Desk, Instant, db_option, home_ring, open_desk
from .output import (
    NON_COMPLIANT,
    NOT_TRUSTED,
    OK,
    UNKNOWN,
    json_option,
    print_json,
    put_file,
    wants_json,
)
from .tables import print_table

if TYPE_CHECKING:
    from ..fleet.evidence import EvidenceView
    from ..fleet.offline import Opinion

_FILE = click.Path(dir_okay=False, path_type=Path)
_THERE = click.Path(exists=True, dir_okay=False, path_type=Path)
_READ_AT_MOST = 1 << 20  # far beyond what any evidence may have; the reader judges the rest
_EXITS = {
    State.COMPLIANT: OK,
    State.WAIVED: OK,
    State.NON_COMPLIANT: NON_COMPLIANT,
    State.STALE: UNKNOWN,
    State.UNKNOWN: UNKNOWN,
}


class Hex(click.ParamType[bytes]):
    """Bytes in hex."""

    name = "hex"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> bytes:
        if isinstance(value, bytes):
            return value
        try:
            return bytes.fromhex(str(value))
        except ValueError:
            self.fail("not hex", param, ctx)


@click.group()
@json_option
@db_option
def command() -> None:
    """Show, compare and verify evidence."""


@command.command()
@click.argument("eid", metavar="EID")
@click.option("--raw", is_flag=True, help="the very bytes, to stdout")
@click.option("--diag", is_flag=True, help="CBOR diagnostic notation")
@json_option
@db_option
def show(eid: str, raw: bool, diag: bool) -> int:
    """What one report said, why it is believed, and what it gave."""
    view = _view(eid, "ref")
    if raw:
        sys.stdout.buffer.write(view.row.raw)
        return OK
    if diag:
        print(view.diag)
        if not view.with_set:
            print(view.set_diag)
        return OK
    if wants_json():
        print_json(documents.evidence(view, "troth/evidence/1"))
        return OK
    row = view.row
    print(f"evidence {row.id}  {plain(view.device.name)}  ", end="")
    print(f"{STATE_GLYPH[row.state]} {row.state.value}")
    print(f"  received   {iso(row.received)}")
    print(f"  signature  {view.algorithm}, good under key {row.key_id.hex()} (epoch {row.epoch})")
    if view.challenge:
        print(f"  answers    nonce {view.challenge.nonce.hex()}")
    if row.freshness is Freshness.EPOCH:
        print(f"  fresh      since {iso(row.given)}: it answers everybody's challenge of then")
    elif row.freshness is Freshness.LATE:
        print(
            f"  late       given after {iso(row.given)}: history, and nothing now follows from it"
        )
    print(f"  boot       {row.boot_count}, up {row.uptime_s} s")
    print(f"  set        {row.set_digest.hex()}, {len(view.set_bytes)} bytes")
    print(f"  release    {plain(view.release.version) if view.release else 'none of this model'}")
    for line in view.offline:
        print(f"  again      {line}")
    print()
    _print_claims(view)
    return OK


@command.command()
@click.argument("eid", metavar="EID")
@click.option("--against", type=click.Choice(["ref", "previous"]), default="ref", show_default=True)
@json_option
@db_option
def diff(eid: str, against: str) -> int:
    """The claims that differ from what is released and asked, or from the report before."""
    view = _view(eid, against)
    if wants_json():
        print_json(documents.evidence(view, "troth/diff/1"))
        return OK
    print(f"evidence {view.row.id} of {plain(view.device.name)} against {view.against}")
    _print_claims(view, only_differing=True)
    return OK


@command.command()
@click.argument("device")
@click.option("-o", "--output", required=True, type=_FILE, help="the bundle")
@click.option("--last", type=click.IntRange(1), default=20, show_default=True, help="reports")
@click.option("--sign", "key", type=_THERE, metavar="KEY", help="sign it: FILE.sig beside FILE")
@json_option
@db_option
def bundle(device: str, output: Path, last: int, key: Path | None) -> int:
    """One device's whole case in one file, for somebody without our server.

    Evidence, public keys, references, rules, policy, and the verdicts on its newest reports. The
    secret of a fuse key is never in it: such reports are judged again beside its master alone.
    """
    from ..fleet.bundle import make

    with open_desk() as desk:
        row = desk.store.device(device)
        if row is None:
            raise Trouble("device.unknown", f"no device {device[:60]!r}", fix="troth device list")
        raw = make(
            desk.store,
            desk.policy,
            desk.catalogue,
            row,
            now=desk.now,
            ring=home_ring(),
            last=last,
        )
    put_file(output, raw)
    digest = hashlib.sha256(raw).hexdigest()
    if key is not None:
        seals.seal(output, digest, {"device": row.name}, key)
    said = {"file": str(output), "bytes": len(raw), "sha256": digest}
    if wants_json():
        print_json({"schema": "troth/bundled/1", "device": row.name, **said})
    else:
        print(f"{output}: {len(raw)} bytes, SHA-256 {said['sha256']}")
        print(f"  anywhere  troth evidence verify --bundle {output}")
    return OK


@command.command()
@click.argument("file", type=click.File("rb"), required=False)
@click.option("--bundle", "case", type=_THERE, help="a bundle: all that is in it, offline")
@click.option("--key", type=_THERE, metavar="FILE.pub", help="who must have signed the bundle")
@click.option("--set", "set_file", type=click.File("rb"), help="the claims-set of a bare token")
@click.option("--nonce", type=Hex(), metavar="HEX", help="the challenge that it must answer")
@click.option("--at", type=Instant(), metavar="RFC3339", help="judge as of this moment")
@json_option
@db_option
def verify(
    file: IO[bytes] | None,
    case: Path | None,
    key: Path | None,
    set_file: IO[bytes] | None,
    nonce: bytes | None,
    at: int | None,
) -> int:
    """Judge any bytes against a store, and record nothing. FILE may be - for stdin.

    Ends with 0 accepted and compliant, 3 non-compliant, 4 rejected, 5 unknown or stale. A bundle
    needs no store: 0 every verdict is reproduced, 4 one is not, 5 one cannot be told.
    """
    if case is not None:
        return _verify_bundle(case, key)
    if file is None:
        raise click.UsageError("name a FILE, or a bundle with --bundle FILE")
    from ..fleet.offline import verify_bytes

    raw = file.read(_READ_AT_MOST)
    claims_set = set_file.read(_READ_AT_MOST) if set_file else None
    with open_desk(turn=False) as desk:
        opinion = verify_bytes(
            desk.store,
            desk.policy,
            desk.catalogue,
            raw,
            now=desk.now if at is None else at,
            claims_set=claims_set,
            nonce=nonce,
            ring=home_ring(),
        )
        row = desk.store.device(opinion.device) if opinion.device else None
        decided = _decided(desk, opinion)
    if wants_json():
        print_json(_document(opinion) | decided)
    else:
        _tell(opinion, row.name if row else opinion.device)
    return NOT_TRUSTED if opinion.state is None else _EXITS[opinion.state]


def _verify_bundle(case: Path, key: Path | None) -> int:
    from ..fleet.bundle import Fate, check

    raw = case.read_bytes()
    if key is not None:
        seals.check(case, hashlib.sha256(raw).hexdigest(), key)
    found = check(raw, ring=home_ring())
    code = NOT_TRUSTED if Fate.OTHER in found.fates else OK
    if code == OK and (Fate.UNKNOWN in found.fates or not found.verdicts):
        code = UNKNOWN
    if wants_json():
        print_json(documents.bundle(found, code))
        return code
    print(f"{plain(found.device)}, made {found.made} by {plain(found.engine)}")
    print(f"  catalogue  {found.catalogue}")
    print(f"  references {found.references}")
    marks = {Fate.SAME: "●", Fate.OTHER: "✘", Fate.UNKNOWN: "?"}
    print_table(
        ("EVIDENCE", "RECEIVED", "AGAIN", "STATE", "RECORDED THEN", "WHY"),
        (
            (
                each.evidence,
                iso(each.at),
                f"{marks[each.fate]} {each.fate.value}",
                each.state.value if each.state else "",
                each.recorded.value,
                each.why,
            )
            for each in found.verdicts
        ),
    )
    return code


def _view(eid: str, against: str) -> EvidenceView:
    from ..fleet.evidence import view_evidence

    with open_desk() as desk:
        return view_evidence(desk.context, desk.catalogue, eid, against=against)


def _print_claims(view: EvidenceView, *, only_differing: bool = False) -> None:
    rows = view.differing if only_differing else view.claims
    if not rows:
        print("nothing differs")
        return
    marks = {"differs": "≠ differs", "not said": "? not said", "same": "= same"}
    print_table(
        ("CLAIM", "", "SAID", "EXPECTED", "DUTIES"),
        (
            (
                row.claim,
                marks.get(row.match.value, row.match.value),
                row.said,
                row.expected,
                " ".join(row.duties),
            )
            for row in rows
        ),
    )


def _document(opinion: Opinion) -> dict[str, Any]:
    refusal, verdict = opinion.refusal, opinion.verdict
    return {
        "schema": "troth/verify/1",
        "outcome": "rejected" if refusal else "accepted",
        "code": refusal.code if refusal else None,
        "path": (refusal.path or None) if refusal else None,
        "offset": refusal.offset if refusal else None,
        "device": opinion.device,
        "state": verdict.state.value if verdict else None,
        "duties": {each.duty: each.outcome.value for each in verdict.appraisals} if verdict else {},
        "fresh": opinion.fresh,
        **({"fix": _remedy(refusal.code)} if refusal else {}),
    }


def _decided(desk: Desk, opinion: Opinion) -> dict[str, Any]:
    """By which texts and records: the same ones give the same answers."""
    from ..fleet.proof import ENGINE, references

    chosen = opinion.verdict.duty_set if opinion.verdict else None
    return {
        "engine": ENGINE,
        "catalogue": desk.catalogue.digest,
        "references": references(desk.store, desk.now),
        "duty_set": chosen.digest if chosen else None,
        "regimes": list(chosen.regimes) if chosen else [],
        "binds": sorted(chosen.mandatory) if chosen else [],
    }


def _remedy(code: str) -> str:
    """What to do about refused evidence, as the page of errors has it."""
    page = (Path(__file__).parents[1] / "docs/errors.md").read_text(encoding="utf-8")
    row = next((line for line in page.splitlines() if line.startswith(f"| `{code}` |")), "")
    return row.split(" | ")[3].replace("`", "") if row else "troth doctor"


def _tell(opinion: Opinion, name: str | None) -> None:
    if opinion.refusal:
        print(f"✘ rejected  {opinion.refusal.code}  {plain(str(opinion.refusal))}")
        if name:
            print(f"  signed with the key id of {plain(name)}, which stays as it was")
        print(f"  do       {_remedy(opinion.refusal.code)}")
        return
    verdict = opinion.verdict
    if verdict is None:
        return
    print(f"{STATE_GLYPH[verdict.state]} {verdict.state.value}  accepted, from {plain(name)}")
    fresh = {True: "it answers the given nonce", None: "no nonce was given to hold it against"}
    print(f"  fresh    {fresh.get(opinion.fresh, 'no')}")
    for each in verdict.failing:
        print(f"  ✘ {each.duty}  {plain(each.because, 400)}")
    if verdict.state is State.UNKNOWN:
        for each in verdict.appraisals:
            if each.duty in verdict.duty_set.mandatory and each.outcome is Outcome.NOT_SHOWN:
                print(f"  ? {each.duty}  {plain(each.because, 400)}")
