"""A figure is a measured value with its target; the whole of them is one document."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Figure:
    """`ratio` is to raw ECDSA P-256 verify in the same run; `target` None: reported only."""

    name: str
    value: float
    unit: str
    ratio: float | None = None
    target: float | None = None
    ok: bool | None = None


def at_most(name: str, value: float, unit: str, target: float) -> Figure:
    return Figure(name, round(value, 3), unit, None, target, value <= target)


def reported(name: str, value: float, unit: str) -> Figure:
    return Figure(name, round(value, 3), unit)


def at_least(name: str, value: float, unit: str, ratio: float, target: float | None) -> Figure:
    ok = None if target is None else ratio >= target
    return Figure(name, round(value, 3), unit, round(ratio, 3), target, ok)


@dataclass(frozen=True)
class Turns:
    """CPU microseconds of one call in every round, beside what others took in the same rounds."""

    us: tuple[float, ...]

    @property
    def median_us(self) -> float:
        return statistics.median(self.us)

    def times_as_fast_as(self, limit: Turns) -> float:
        """Round by round, so that a drift of the machine hits both alike."""
        return statistics.median(b / a for a, b in zip(self.us, limit.us, strict=True))


def in_turns(*calls: Callable[[], object], rounds: int, each: int) -> list[Turns]:
    """Every call `each` times a round, the garbage collector running as it would in service."""
    spent: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, times in zip(calls, spent, strict=True):
            start = time.process_time_ns()
            for _ in range(each):
                call()
            times.append((time.process_time_ns() - start) / each / 1000)
    return [Turns(tuple(times)) for times in spent]


def document(figures: list[Figure]) -> dict[str, object]:
    return {"schema": "troth/bench/1", "figures": [asdict(figure) for figure in figures]}


def table(figures: list[Figure]) -> str:
    lines = [f"{'figure':28} {'value':>12} {'unit':8} {'ratio':>7} {'target':>8}"]
    for figure in figures:
        ratio = "" if figure.ratio is None else f"{figure.ratio:.3f}"
        target = "reported" if figure.target is None else f"{figure.target:g}"
        mark = {True: "ok", False: "MISSED", None: ""}[figure.ok]
        lines.append(
            f"{figure.name:28} {figure.value:12g} {figure.unit:8} {ratio:>7} {target:>8} {mark}"
        )
    return "\n".join(lines)
