"""`python boards/emulator ...`: boards without hardware."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from emulator.cli import main  # noqa: E402  (the path comes first)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
