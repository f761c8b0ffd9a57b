"""What an agent tells of its key: of which kind it is, and where it lies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..formats import eat
from ..trouble import Trouble
from .serial import AGAIN

HARDWARE = ("efuse", "secure-element")  # where a key cannot be copied from


def said_key(said: Mapping[str, Any]) -> tuple[bytes | None, bytes | None, str]:
    """Public key, id of a MAC key, and where the key lies, as the agent tells them.

    An agent that names no algorithm is of the time when there was ES256 alone.
    """
    origin, algorithm = said.get("key_origin", "nvs"), said.get("alg", eat.ES256)
    if origin not in ("nvs", *HARDWARE) or algorithm not in eat.ALGORITHMS:
        raise Trouble("board.answer", "the agent tells of a key of no known kind", fix=AGAIN)
    mac = algorithm == eat.HMAC_256
    if mac and origin != "efuse":
        raise Trouble("board.answer", "a MAC key lies in a fuse, or is no key", fix=AGAIN)
    try:
        told = bytes.fromhex(str(said.get("kid" if mac else "public_key")))
    except ValueError:
        told = b""
    if len(told) != (eat.KEY_ID_BYTES if mac else 64):
        raise Trouble(
            "board.answer", f"the agent gave no {'key id' if mac else 'public key'}", fix=AGAIN
        )
    return (None, told, origin) if mac else (told, None, origin)
