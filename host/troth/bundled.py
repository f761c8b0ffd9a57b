"""Where the agent's and the boards' files are: inside the wheel, or beside host/ in a checkout."""

from __future__ import annotations

from pathlib import Path


def bundled(name: str) -> Path:
    """The folder `agent` or `boards`."""
    here = Path(__file__).resolve().parent
    inside = here / "_bundled" / name
    return inside if inside.is_dir() else here.parents[1] / name
