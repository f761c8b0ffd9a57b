"""The agent on MicroPython: the same bytes as under CPython, and real mbedTLS on its link."""

import contextlib
import io
import subprocess
from pathlib import Path

import pytest

from agent_server import CWT, authority, complete, server_pem, serving, session, waiting
from agent_support import AGENT
from emulator import vm

pytestmark = pytest.mark.vm

SAME = """
from hashlib import sha256
from troth_agent import attest, claims, p256_public
from troth_agent.keys.soft import SoftKey

FACTS = {
    258: b"\\x0a\\x1b\\x2c", 259: b"therm-v2", 270: "thermostat", 271: ["1.4.0"], 262: True, 263: 3,
    1: "esp32c3", 2: True, 6: "release", 16: "sealed", 17: False, 23: "1.3", 26: 0,
}
for i in range(20):
    seed = sha256(b"seed %d" % i).digest()
    facts = dict(FACTS)
    facts[4] = i * 100
    for name in ("app", "code", "agent")[: 2 + i % 2]:
        facts[name] = sha256(seed + name.encode()).digest()
    facts[3] = [sha256(seed).digest()] * (i % 4)
    said = {256: b"\\2" + seed[:6], 261: 7 ** i, 267: i, 268: seed[:8], -80002: 3 ** i}
    if i % 2:
        said[6] = 1790000000 + i
    key = SoftKey(seed + p256_public.public_key(seed), blind=False)
    evidence = attest.Evidence(claims.claims_set(facts), said, key, sha256(seed).digest())
    print(evidence.bare().hex(), evidence.bundle().hex())
"""

# what a broker may send: packets in order, and then bytes that nobody would
NOISE = """
from hashlib import sha256
from troth_agent import Trouble
from troth_agent.link import mqtt

DRAWN = b"\\xa2\\4\\x1a\\x6a\\0\\0\\0\\x0a\\x58\\x20" + bytes(32)
GOOD = (b"\\x20\\x02\\0\\0", b"\\x90\\x05\\0\\1\\0\\0\\0", b"\\x40\\x02\\0\\2",
        b"\\x30\\x45\\0\\x19troth/v1/d/02aa/challenge" + DRAWN)

class Wire:
    def __init__(self, said):
        self.said = said
    def read(self, size):
        part = self.said[:size]
        self.said = self.said[size:]
        return part
    def write(self, part):
        return len(part)
    def close(self):
        pass

def outcome(said):
    link = mqtt.Link((Wire(b""), Wire(said)), b"02aa")
    try:
        for _ in link.greet(None, None):
            pass
        for _ in link.subscribe(*[link.own(name) for name in mqtt._HEARD]):
            pass
        for _ in link.challenge():
            pass
        return "a challenge"
    except Trouble as err:
        return err.code + err.text
    except OSError as err:
        return "OSError %s" % err.args[0]

for i in range(300):
    noise = sha256(b"%d" % i).digest() + sha256(b"+%d" % i).digest()
    good = b"".join(GOOD[: i % 5])
    print(i, outcome(good + noise[: i % 64]))
    at = i % (len(good) + 1)
    print(i, outcome(good[:at] + noise[:1] + good[at + 1 :]))
"""

STAND_INS = """
import sys
class Stand:
    def __init__(self, **names):
        for name in names:
            setattr(self, name, names[name])
kept = {}
class NVS:
    def __init__(self, name):
        pass
    def get_i32(self, key):
        if key not in kept:
            raise OSError(-4354)
        return kept[key]
    def set_i32(self, key, value):
        kept[key] = value
    def commit(self):
        pass
sys.modules["esp32"] = Stand(NVS=NVS)
sys.modules["machine"] = Stand(unique_id=lambda: b"\\x24\\x0a\\xc4\\0\\0\\1")
"""

REPORT = """
from troth_agent import p256_public
from troth_agent.keys.soft import SoftKey
from troth_agent import loop
from troth_agent import Trouble
class Board:
    settings = {"url": URL, "scheme": "https"}
    def ca(self):
        with open(CA, "rb") as file:
            return file.read()
    def session(self):
        return {256: b"\\2\\x24\\x0a\\xc4\\0\\0\\1", 261: 1, 267: 1, 268: bytes(8),
                -80002: 1}
    def steps(self):
        yield 0
        return b"as the board says"
private = bytes(range(1, 33))
key = SoftKey(private + p256_public.public_key(private))
try:
    print(loop.finish(loop.report(Board(), lambda: key)).hex(), kept)
except Trouble as err:
    print(err.code, err.text)
except OSError as err:
    print("OSError")
"""


def run(machine: vm.Vm, script: str, heap_bytes: int = 112 * 1024) -> str:
    heap = f"heapsize={heap_bytes * machine.heap_factor}"
    start = f"import sys\nsys.path[:] = [{str(AGENT)!r}]\n"
    done = subprocess.run(
        [*machine.argv, "-X", heap, "-c", start + script],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_micropython_and_cpython_make_the_same_evidence(machine: vm.Vm) -> None:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(SAME, "same", "exec"), {})
    on_board = run(machine, STAND_INS + SAME)
    assert on_board == out.getvalue()
    assert on_board.count("\n") == 20


def test_noise_from_a_broker_ends_alike_on_micropython_and_cpython(machine: vm.Vm) -> None:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(NOISE, "noise", "exec"), {})
    on_board = run(machine, STAND_INS + NOISE)
    assert on_board == out.getvalue()
    assert {"a challenge", "OSError 104"} < {
        line.split(" ", 1)[1] for line in on_board.splitlines()
    }


def test_a_blinded_signature_of_the_vm_proves_itself(machine: vm.Vm) -> None:
    script = STAND_INS + "from troth_agent import p256_public\nfrom troth_agent.keys import birth\n"
    script += "for _ in range(5):\n    key = birth.new_key()\n"
    script += "    print(birth.self_test(key, p256_public.public_key(key)))\n"
    assert run(machine, script) == "True\n" * 5


def report(machine: vm.Vm, url: str, ca: Path) -> str:
    return run(machine, STAND_INS + f"URL, CA = {url!r}, {str(ca)!r}\n" + REPORT)


def test_the_vm_reports_over_tls_1_3_to_a_server_of_the_pinned_ca(
    machine: vm.Vm, tmp_path: Path
) -> None:
    ca = authority()
    (tmp_path / "ca.der").write_bytes(ca.der)
    pem = server_pem(ca, tmp_path)
    with serving(pem, session(), session(), waiting(), complete()) as verifier:
        said = report(machine, verifier.url, tmp_path / "ca.der")
    assert said.endswith("{'tls': 13}\n")
    assert [request.kind for request in verifier.requests][2] == CWT
    assert verifier.connections == 2  # the first one only told the version of TLS


@pytest.mark.parametrize(
    ("stranger", "address", "expired", "why"),
    [
        (True, "127.0.0.1", False, "is not correctly signed by the trusted CA"),
        (False, "127.0.0.2", False, "does not match with the expected CN"),
        (False, "127.0.0.1", True, "validity has expired"),
    ],
    ids=["another CA", "another name", "expired"],
)
def test_the_vm_tells_nothing_to_a_server_it_cannot_trust(
    stranger: bool, address: str, expired: bool, why: str, machine: vm.Vm, tmp_path: Path
) -> None:
    ca = authority()
    (tmp_path / "ca.der").write_bytes(ca.der)
    pem = server_pem(authority() if stranger else ca, tmp_path, address, expired=expired)
    with serving(pem, session()) as verifier:
        said = report(machine, verifier.url, tmp_path / "ca.der")
    assert said.startswith("link.untrusted ")
    assert why in said
    assert not verifier.requests


def test_the_vm_tells_a_file_that_is_no_certificate(machine: vm.Vm, tmp_path: Path) -> None:
    ca = authority()
    (tmp_path / "ca.der").write_bytes(b"not a certificate")
    with serving(server_pem(ca, tmp_path), session()) as verifier:
        said = report(machine, verifier.url, tmp_path / "ca.der")
    assert said.startswith("link.ca ")


def test_every_module_compiles_for_the_board(machine: vm.Vm) -> None:
    paths = sorted(str(path) for path in AGENT.glob("troth_agent/**/*.py"))
    script = f"import gc\nfor p in {paths!r}:\n    gc.collect()\n"
    script += "    compile(open(p).read(), p, 'exec')\nprint('all')"
    assert run(machine, script) == "all\n"
