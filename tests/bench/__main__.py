"""`make bench`: every figure in one run, as a table and as one document.

Each part is a file here with `measure() -> list[Figure]`. A part that cannot run is an error, for
a figure that is not measured is not met.
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module
from pathlib import Path

from figures import document, table

PARTS = (
    "device",
    "agent",
    "away",
    "roads",
    "wire",
    "verify",
    "serve",
    "scale",
    "report",
    "command",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the document here")
    parser.add_argument("--only", choices=PARTS, help="measure one part")
    args = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    figures = []
    for part in (args.only,) if args.only else PARTS:
        print(f"measuring {part}", file=sys.stderr)
        figures += import_module(part).measure()
    print(table(figures))
    if args.json:
        args.json.write_text(json.dumps(document(figures), indent=2) + "\n", encoding="utf-8")
    return 1 if any(figure.ok is False for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
