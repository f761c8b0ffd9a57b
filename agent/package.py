"""Writes package.json, the list by which `mpremote mip install` puts the agent on a board.

`--check` changes nothing and ends with 1 when the file differs from what would be written.
"""

import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
TARGET = HERE / "package.json"


def document() -> str:
    version = re.search(r'VERSION = "(.+)"', (HERE / "troth_agent/__init__.py").read_text())
    if version is None:
        raise SystemExit("no VERSION in troth_agent/__init__.py")
    files = sorted(path.relative_to(HERE).as_posix() for path in HERE.glob("troth_agent/**/*.py"))
    package = {"urls": [[file, file] for file in files], "deps": [], "version": version[1]}
    return json.dumps(package, indent=2) + "\n"


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(TARGET.read_text() != document())
    TARGET.write_text(document())
