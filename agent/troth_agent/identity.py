# What this board is, before anything is asked of it: its MAC, and where its agent lives.
import os

import machine

from . import nvs


def mac():
    return machine.unique_id()[:6]


# An EUI, as RFC 9711 section 4.2.1 has it.
def ueid():
    return b"\x02" + mac()


# The agent lies in the image: no file of it is in the file system.
def frozen():
    try:
        os.stat(__file__)
        return False
    except OSError:
        return True


# A hardened build carries `troth_build` in its image; a file of that name does not count.
def hardened():
    if not frozen():
        return False
    try:
        import troth_build
    except ImportError:
        return False
    try:
        os.stat(troth_build.__file__)
        return False
    except (AttributeError, OSError):
        return True


def sealed():
    return prompt() != "open"


# Of the claim `repl`; "absent": this build never had one.
def prompt():
    if not hardened():
        return "open"
    import troth_build

    if not getattr(troth_build, "PROMPT", True):
        return "absent"
    return "sealed" if nvs.recall(nvs.SEALED, 0) == 1 else "open"


def seal():
    nvs.remember(nvs.SEALED, 1)


# Where the agent's modules lie, as an absolute path.
def home():
    home = __file__[: __file__.rfind("/")]
    return home if home.startswith("/") else "/" + home
