"""Gathers MicroPython's type stubs, as installed in this environment, in `typings/` for mypy.

They cannot be read where they are: beside them lie CPython's own packages, which mypy would mix in.
"""

import shutil
from importlib.metadata import files
from pathlib import Path

TARGET = Path(__file__).resolve().parents[1] / "typings"
STUBS = ("micropython-esp32-stubs", "micropython-stdlib-stubs")


def main() -> None:
    shutil.rmtree(TARGET, ignore_errors=True)
    for package in STUBS:
        for file in files(package) or ():
            if file.suffix == ".pyi" or file.name == "VERSIONS":
                place = TARGET / file
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file.locate(), place)


if __name__ == "__main__":
    main()
