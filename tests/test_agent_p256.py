"""The agent's ECDSA against an independent implementation, key by key and byte by byte."""

import hashlib
import os
import subprocess
import sys

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

import agent_support
from troth_agent import Trouble, p256, p256_public
from troth_agent.keys import birth

N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
PREHASHED = utils.Prehashed(hashes.SHA256())


def seeded(label: str, number: int) -> bytes:
    return hashlib.sha256(f"{label} {number}".encode()).digest()


def private_key(private: bytes) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(private, "big"), ec.SECP256R1())


def raw(der: bytes) -> bytes:
    r, s = utils.decode_dss_signature(der)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def expected(private: bytes, digest: bytes) -> bytes:
    algorithm = ec.ECDSA(PREHASHED, deterministic_signing=True)
    return raw(private_key(private).sign(digest, algorithm))


def check(private: bytes, digest: bytes, signature: bytes) -> None:
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    public = private_key(private).public_key()
    public.verify(utils.encode_dss_signature(r, s), digest, ec.ECDSA(PREHASHED))


def point(private: bytes) -> bytes:
    numbers = private_key(private).public_key().public_numbers()
    return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def test_without_blinding_a_signature_is_rfc_6979_to_the_byte() -> None:
    for number in range(200):
        private, digest = seeded("key", number), seeded("message", number)
        assert p256.sign(private, digest, blind=False) == expected(private, digest)


@pytest.mark.parametrize("digest", [bytes(32), b"\xff" * 32, bytes(31) + b"\1"], ids=bytes.hex)
@pytest.mark.parametrize("number", [1, 2, 3, N - 2, N - 1, 1 << 255], ids=hex)
def test_keys_and_digests_at_the_edge_sign_and_derive_alike(number: int, digest: bytes) -> None:
    private = number.to_bytes(32, "big")
    assert p256.sign(private, digest, blind=False) == expected(private, digest)
    assert p256_public.public_key(private) == point(private)


def test_a_blinded_signature_verifies_and_never_repeats() -> None:
    private, digest = seeded("key", 0), seeded("message", 0)
    signatures = {p256.sign(private, digest) for _ in range(50)}
    assert len(signatures) == 50
    for signature in signatures:
        check(private, digest, signature)


def test_a_dead_generator_still_leaves_signatures_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "urandom", bytes)
    private = seeded("key", 1)
    first, second = (p256.sign(private, seeded("message", n)) for n in range(2))
    assert first[:32] != second[:32]
    check(private, seeded("message", 0), first)


@pytest.mark.parametrize(
    "draw", [bytes, lambda size: b"\xff" * size, lambda size: bytes(range(size))]
)
def test_no_key_is_made_by_a_dead_generator(monkeypatch: pytest.MonkeyPatch, draw: object) -> None:
    monkeypatch.setattr(os, "urandom", draw)
    with pytest.raises(Trouble) as trouble:
        birth.new_key()
    assert trouble.value.code == "key.random"


def test_the_public_key_is_the_point_of_the_private_key() -> None:
    for number in range(50):
        private = seeded("key", number)
        assert p256_public.public_key(private) == point(private)


def test_the_self_test_passes_for_a_pair_and_fails_for_strangers() -> None:
    private, other = seeded("key", 0), seeded("key", 1)
    assert birth.self_test(private, point(private))
    assert not birth.self_test(private, point(other))
    assert not birth.self_test(private, bytes(64))


def test_the_boards_own_verify_agrees_with_an_independent_one() -> None:
    private, digest = seeded("key", 2), seeded("message", 2)
    good = expected(private, digest)
    assert birth.verify(point(private), digest, good)
    for at in (0, 31, 32, 63):
        bad = bytearray(good)
        bad[at] ^= 1
        assert not birth.verify(point(private), digest, bytes(bad))
        with pytest.raises(InvalidSignature):
            check(private, digest, bytes(bad))
    assert not birth.verify(point(private), digest, bytes(64))


def test_the_table_in_the_tree_is_the_one_its_script_writes() -> None:
    script = agent_support.AGENT / "make_p256_table.py"
    subprocess.run([sys.executable, str(script), "--check"], check=True)


def test_a_point_added_to_the_neutral_one_is_itself() -> None:
    base = p256_public.public_key((1).to_bytes(32, "big"))
    x, y = int.from_bytes(base[:32], "big"), int.from_bytes(base[32:], "big")
    assert p256_public.add((0, 0, 0, 0), x, y) == (x, y, 1, 1)


def test_an_inverse_is_one_whatever_the_number_looks_like() -> None:
    for modulus in (p256.P, p256.N):
        seeds = [int.from_bytes(seeded("inverse", n), "big") for n in range(300)]
        ends = [1 << n for n in range(256)] + [modulus - (1 << n) for n in range(255)]
        near = [modulus * n // (n + 1) for n in range(1, 200)]
        short = [seed >> n % 250 for n, seed in enumerate(seeds)]
        for number in (*seeds, *ends, *near, *short):
            a = number % modulus or 1
            assert p256.inverse(a, modulus) == pow(a, -1, modulus)
