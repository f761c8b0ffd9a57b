# ruff: noqa: F821 (names that MicroPython's makemanifest gives)
# Frozen into every hardened image: the port's own start, asyncio, the agent, and a main that never
# returns. The port's usual manifest is not taken: it brings webrepl, and mip and requests, which
# check no certificate.
freeze("$(PORT_DIR)/modules")
include("$(MPY_DIR)/extmod/asyncio")
package("troth_agent", base_path="../../agent", opt=3)
module("troth_build.py", base_path=".", opt=3)
module("boot.py", base_path=".", opt=3)
module("main.py", base_path=".", opt=3)
