"""troth doctor: what keeps Troth from working here, each with the command that mends it."""

from __future__ import annotations

import click

from .output import FAILED, OK, json_option, print_json, wants_json

_GLYPHS = {"ok": "●", "warn": "?", "FAIL": "✘"}


@click.command()
@click.option("--port", help="look at this serial port as well")
@json_option
def command(port: str | None) -> int:
    """Look for what keeps Troth from working here, and how to mend it. Ends with 1 on a FAIL."""
    from .probes import examine

    obj = click.get_current_context().find_root().obj or {}
    signs = examine(obj.get("home"), obj.get("db"), port)
    failed = any(sign.level == "FAIL" for sign in signs)
    if wants_json():
        print_json(
            {
                "schema": "troth/doctor/1",
                "ok": not failed,
                "checks": [
                    {"name": s.name, "level": s.level, "what": s.what, "fix": s.fix} for s in signs
                ],
            }
        )
    else:
        for sign in signs:
            print(f"{_GLYPHS[sign.level]} {sign.level:4}  {sign.name:14}  {sign.what}")
            if sign.fix:
                print(f"                        fix:  {sign.fix}")
    return FAILED if failed else OK
