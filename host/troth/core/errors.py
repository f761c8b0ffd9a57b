"""What can be wrong with a message: one small tree of refusals, each with a stable code.

A `Rejected` says that these bytes prove nothing about any device. A caller's own mistake is a
ValueError or TypeError, never a `Rejected`; a shortcoming of a device is an Appraisal.
"""

from __future__ import annotations


class Rejected(Exception):
    """Evidence refused.

    `code` is stable, lower-case and dotted (`sig.bad`). `path` names the part and the place in it
    (`claims/ueid`): envelope, protected, bundle, claims (the token's payload), set (the
    claims-set). `offset` is the byte in that part where known. The text is for people and never
    holds secrets or unbounded text from the message.
    """

    def __init__(self, code: str, text: str, *, path: str = "", offset: int | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.path = path
        self.offset = offset

    def __str__(self) -> str:
        place = f"{self.path}: " if self.path else ""
        at = f" (byte {self.offset})" if self.offset is not None else ""
        return f"{place}{self.text}{at}"


class Malformed(Rejected):
    """The bytes are not one well-formed, deterministic message of the profile."""


class Unsupported(Malformed):
    """Well-formed, but of a form or algorithm that the profile does not speak."""


class UnknownSigner(Rejected):
    """No enrolled key has this key id (`key.unknown`), or it is revoked (`key.revoked`)."""


class BadSignature(Rejected):
    """The signature does not hold (`sig.bad`), or the signer speaks for another (`id.mismatch`)."""


class Stale(Rejected):
    """The challenge that this evidence answers has expired (`nonce.expired`)."""


class Replayed(Rejected):
    """The evidence answers no open challenge of ours (`nonce.unknown`, `.replayed`, `.spent`)."""
