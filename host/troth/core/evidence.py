"""A message as it came: bounded, well-formed, and not believed (RFC 9052, RFC 9711 section 5)."""

from __future__ import annotations

from dataclasses import dataclass

MAX_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Evidence:
    """The envelope of one COSE_Sign1 token, its payload still sealed.

    `claims_set` is the detached claims-set that travelled with it (tag 602), or None when the
    device sent the bare token because the set is known to us.
    """

    key_id: bytes  # a question to our own table, nothing more
    algorithm: int  # COSE algorithm id, e.g. -7
    protected: bytes
    payload: bytes
    signature: bytes
    claims_set: bytes | None


def parse_evidence(raw: bytes) -> Evidence:
    """Read either form of our profile. Raises Malformed for anything else, for any input."""
    raise NotImplementedError
