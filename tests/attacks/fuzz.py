"""Noise and mutations for the readers: each gives its type or its own refusal, nothing else.

`make fuzz ARGS="--rounds 5000000"` runs it for longer; tests/attacks/test_noise.py a short while.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import forge
from troth.core.claims import read_claims_set, read_token
from troth.core.errors import Rejected
from troth.core.evidence import parse_evidence
from troth.core.trust import VerifiedEvidence
from troth.formats import cbor, cose

BOARD = forge.Device(1)
KEY = BOARD.enrol()
NONCE = forge.nonce_of(1)
# Bytes at which CBOR turns into something else: heads, tags, breaks, floats, lengths.
PIVOTS = bytes.fromhex(
    "001718191a1b1c1f20383b4058595a5b5f607880989b9fa0b8bbbfc2d2d8d9dff4f6f7f8f9fbff"
)


def as_token(raw: bytes) -> object:
    return read_token(VerifiedEvidence(KEY, raw, None))


def as_claims_set(raw: bytes) -> object:
    return read_claims_set(raw, forge.hashlib.sha256(raw).digest())


def as_peers_message(raw: bytes) -> object:
    return cose.verify(raw, BOARD.private_key.public_key())


Reader = Callable[[bytes], Any]
TARGETS: dict[str, tuple[Reader, tuple[bytes, ...]]] = {
    "evidence": (parse_evidence, (BOARD.token(NONCE), BOARD.bundle(NONCE))),
    "token": (as_token, (BOARD.claims(NONCE), BOARD.claims(NONCE, iat=1_790_000_000))),
    "claims-set": (as_claims_set, (BOARD.set(), forge.Device(2, profile="P0").set())),
    "item": (cbor.read, (BOARD.set(), BOARD.claims(NONCE))),
    "peer": (as_peers_message, (forge.cbor(BOARD.envelope(b"payload")),)),
}


def mutate(seed: bytes, rng: random.Random) -> bytes:
    """One to four small changes: a byte, a bit, a cut, a doubled or foreign piece."""
    raw = bytearray(seed)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(raw) + 1)
        match rng.randrange(6):
            case 0 if at < len(raw):
                raw[at] ^= 1 << rng.randrange(8)
            case 1 if at < len(raw):
                raw[at] = rng.choice(PIVOTS)
            case 2:
                raw[at:at] = bytes([rng.choice(PIVOTS)])
            case 3:
                del raw[at : at + rng.randint(1, 4)]
            case 4:
                raw[at:at] = raw[at : at + rng.randint(1, 40)]
            case _:
                del raw[at:]
    return bytes(raw)


def inputs(seeds: tuple[bytes, ...], rng: random.Random) -> Iterator[bytes]:
    """Mostly mutations, some plain noise and some noise made of pivots."""
    while True:
        kind = rng.randrange(10)
        if kind == 0:
            yield rng.randbytes(rng.randrange(80))
        elif kind == 1:
            yield bytes(rng.choices(PIVOTS, k=rng.randrange(40)))
        else:
            yield mutate(rng.choice(seeds), rng)


def run(target: str, rounds: int, seed: int) -> Counter[str]:
    """Count the outcomes by code; any exception but Rejected escapes, with its input."""
    reader, seeds = TARGETS[target]
    outcomes: Counter[str] = Counter()
    stream = inputs(seeds, random.Random(seed))
    for raw, _ in zip(stream, range(rounds), strict=False):
        try:
            reader(raw)
        except Rejected as refused:
            outcomes[refused.code] += 1
        except Exception as broken:
            raise AssertionError(f"{target} broke on {raw.hex()}") from broken
        else:
            outcomes["read"] += 1
    return outcomes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1_000_000, help="inputs for each reader")
    parser.add_argument("--seed", type=int, default=time.time_ns())
    args = parser.parse_args()
    print(f"seed {args.seed}")
    for target in TARGETS:
        outcomes = run(target, args.rounds, args.seed)
        print(f"{target:12}", *(f"{code}={n}" for code, n in outcomes.most_common()))


if __name__ == "__main__":
    main()
