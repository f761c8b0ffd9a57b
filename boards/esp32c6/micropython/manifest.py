# ruff: noqa: F821 (names that MicroPython's makemanifest gives)
# What is frozen into the signed image; your own modules go below.
include("../../common/manifest.py")
