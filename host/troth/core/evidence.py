"""A message as it came: bounded, well-formed, and not believed (RFC 9052, RFC 9711 section 5).

Our profile leaves no choice in the bytes of the envelope: tag, protected header and the heads of
the strings stand where they stand. So evidence is recognised by comparing bytes, before any
decoding; only what is not recognised is decoded, and only to name the fault.
"""

from __future__ import annotations

from typing import Any, NamedTuple, NoReturn

from ..formats import cbor, eat
from ..tuples import new
from .errors import Malformed, Unsupported

MAX_BYTES = cbor.MAX_BYTES

_OPEN = bytes.fromhex("d28451a301260448")  # 18([h'{1: -7, 4: h'
_OPEN_MAC = bytes.fromhex("d18451a301050448")  # 17([h'{1: 5, 4: h'
_ALGORITHMS = {_OPEN: eat.ES256, _OPEN_MAC: eat.HMAC_256}
_KID = len(_OPEN)
_KID_ENDS = _KID + eat.KEY_ID_BYTES
_CLOSE = bytes.fromhex("10190107a0")  # 16: 263}', {},
_PAYLOAD = _KID_ENDS + len(_CLOSE)
_PROTECTED = slice(3, _PAYLOAD - 1)
_SIGNATURE = bytes.fromhex("5840")  # the head of one that has its length
_BUNDLE = bytes.fromhex("d9025a82")  # 602([
_BELONGS = {eat.SIGN1: eat.ES256, eat.MAC0: eat.HMAC_256}  # the algorithm to the tag
_CWT = bytes.fromhex("d83d")  # 61(
_SET = bytes.fromhex("a163636667")  # {"cfg":
_NOWHERE = MAX_BYTES + 1

# Tags that may stand somewhere in evidence or in what is easily mistaken for it.
_TAGS = frozenset({16, eat.MAC0, eat.SIGN1, eat.CWT, 96, 97, 98, 601, eat.BUNDLE})


class Evidence(NamedTuple):
    """The envelope of one COSE_Sign1 or COSE_Mac0 token, its payload still sealed.

    `claims_set` is the detached claims-set that travelled with it (tag 602), or None when the
    device sent the bare token because the set is known to us.
    """

    key_id: bytes  # a question to our own table, nothing more
    algorithm: int  # COSE algorithm id: -7, or 5 for a MAC
    protected: bytes
    payload: bytes
    signature: bytes  # or the tag of a MAC
    claims_set: bytes | None


def parse_evidence(raw: bytes) -> Evidence:
    """Read either form of our profile. Raises Malformed for anything else, for any input.

    A signature of the wrong length passes: it is a bad signature of a known signer, which
    `authenticate` tells.
    """
    if len(raw) > MAX_BYTES:
        raise Malformed("size.limit", f"{len(raw)} bytes, at most {MAX_BYTES}", path="envelope")
    return _bare(raw, None) or _bundle(raw) or _refuse(raw)


def _bare(raw: bytes, claims_set: bytes | None) -> Evidence | None:
    """`18([protected, {}, payload, signature])`, or 17 and a tag, and not a byte more, or None."""
    algorithm = _ALGORITHMS.get(raw[:_KID])
    if algorithm is None or raw[_KID_ENDS:_PAYLOAD] != _CLOSE:
        return None
    start, end = _bstr(raw, _PAYLOAD)
    if raw[end : end + 2] == _SIGNATURE:
        sealed, all_read = end + 2, end + 66
    else:
        sealed, all_read = _bstr(raw, end)
    if all_read != len(raw):
        return None
    payload, signature = raw[start:end], raw[sealed:]
    key_id, protected = raw[_KID:_KID_ENDS], raw[_PROTECTED]
    return new(Evidence, (key_id, algorithm, protected, payload, signature, claims_set))


def _bundle(raw: bytes) -> Evidence | None:
    """`602([h'61(18([...]))', {"cfg": h'...'}])`, or 17 inside, and not a byte more, or None."""
    if raw[: len(_BUNDLE)] != _BUNDLE:
        return None
    start, end = _bstr(raw, len(_BUNDLE))
    if raw[start : start + len(_CWT)] != _CWT or raw[end : end + len(_SET)] != _SET:
        return None
    claims_set, all_read = _bstr(raw, end + len(_SET))
    if all_read != len(raw):
        return None
    return _bare(raw[start + len(_CWT) : end], raw[claims_set:])


def _bstr(raw: bytes, at: int) -> tuple[int, int]:
    """Where the content of the byte string begins and ends whose shortest head stands at `at`.

    Where none stands it ends beyond everything.
    """
    head = raw[at : at + 3]
    if len(head) < 3:
        head = head.ljust(3, b"\0")
    first, n, low = head
    if first == 0x58 and n >= 24:
        return at + 2, at + 2 + n
    if 0x40 <= first < 0x58:
        return at + 1, at + 1 + first - 0x40
    if first == 0x59 and n:
        return at + 3, at + 3 + (n << 8 | low)
    return at, _NOWHERE


def _refuse(raw: bytes) -> NoReturn:
    """Say why these bytes are neither of the two forms."""
    message = cbor.read(raw, path="envelope", tags=_TAGS)
    if _tag(message) == eat.BUNDLE:
        message = _main_token(message.item)
    tag = _tag(message)
    if tag not in (eat.SIGN1, eat.MAC0):
        raise Malformed("cose.structure", "want 18, 17 or 602([...])", path="envelope")
    parts = message.item
    if type(parts) is not list or [type(part) for part in parts] != [bytes, dict, bytes, bytes]:
        raise Malformed(
            "cose.structure",
            "want protected bytes, unprotected map, payload bytes, signature bytes",
            path="envelope",
        )
    _refuse_header(parts[0], parts[1], _BELONGS[tag])
    raise Malformed("cose.structure", "not one of the two forms", path="envelope")


def _main_token(bundle: Any) -> Any:
    if type(bundle) is not list or [type(part) for part in bundle] != [bytes, dict]:
        raise Malformed("cose.structure", "want a token and its claims-sets", path="bundle")
    if bundle[1].keys() != {eat.SET_NAME} or type(bundle[1][eat.SET_NAME]) is not bytes:
        raise Malformed("cose.structure", "want exactly one claims-set, cfg", path="bundle")
    token = cbor.read(bundle[0], path="bundle/token", tags=_TAGS)
    if _tag(token) != eat.CWT:
        raise Malformed("cose.structure", "want 61 over 18 or 17([...])", path="bundle/token")
    return token.item


def _refuse_header(protected: bytes, unprotected: dict[int | str, Any], algorithm: int) -> None:
    if not protected:
        raise Malformed("cose.header", "empty, so nothing names the signer", path="protected")
    header = cbor.read(protected, path="protected")
    if type(header) is not dict:
        raise Malformed("cose.structure", "want a map", path="protected")
    if eat.ALG not in header:
        raise Malformed("cose.header", "alg is missing", path="protected/alg")
    if header[eat.ALG] != algorithm:
        raise Unsupported(
            "cose.algorithm", f"want {eat.ALGORITHMS[algorithm]}", path="protected/alg"
        )
    if unprotected:
        raise Malformed("cose.header", "must be empty", path="unprotected")
    key_id = header.get(eat.KID)
    if type(key_id) is not bytes or len(key_id) != eat.KEY_ID_BYTES:
        raise Malformed("cose.header", "want 8 bytes", path="protected/kid")
    if header.get(eat.TYP) != eat.CONTENT_FORMAT:
        raise Unsupported("cose.header", "want the type of an EAT", path="protected/typ")
    if len(header) > 3:
        raise Unsupported("cose.header", "want alg, kid and typ, no more", path="protected")


def _tag(message: Any) -> int | None:
    return message.number if type(message) is cbor.Tagged else None
