# ruff: noqa: F821 (names that MicroPython's makemanifest gives)
# Freezes the agent into a firmware image: include this file from a board's own manifest.py.
package("troth_agent", base_path=".", opt=3)
module("main.py", base_path=".", opt=3)
