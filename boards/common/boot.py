# First of all: a frozen boot.py stands before one on the file system. No file shadows a module from
# here on, and Ctrl-C is a character like any other.
import sys

import micropython

sys.path[:] = [".frozen"]
micropython.kbd_intr(-1)
