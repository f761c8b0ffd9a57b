"""What a person waits for at the prompt."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys

from figures import Figure, at_most


def _cpu_ms(argv: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return spent * 1000


def measure() -> list[Figure]:
    argv = [sys.executable, "-m", "troth", "--help"]
    _cpu_ms(argv)
    return [at_most("cli.help_ms", statistics.median(_cpu_ms(argv) for _ in range(9)), "ms", 150)]
