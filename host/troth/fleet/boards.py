"""What each kind of board must show of itself, from boards/<chip>/board.toml."""

from __future__ import annotations

import tomllib
from functools import cache

from ..bundled import bundled
from ..core.device import Profile


@cache
def must_show(chip: str | None, profile: Profile) -> frozenset[str]:
    """The `d.` names that a board of this chip and profile has no excuse to keep back."""
    if chip is None or not chip.isalnum():
        return frozenset()
    path = bundled("boards") / chip / "board.toml"
    if not path.is_file():
        return frozenset()
    profiles = tomllib.loads(path.read_text(encoding="utf-8")).get("profiles", {})
    return frozenset(map(_name, profiles.get(profile.value, {}).get("must_show", ())))


def _name(said: str) -> str:
    return said if said.startswith("d.") else f"d.{said}"
