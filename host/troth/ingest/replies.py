"""What the API says: answers as values, problems (RFC 9457), and what a request must look like."""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from ..core.evidence import MAX_BYTES
from ..core.freshness import Challenge
from .nonces import NONCE_BYTES
from .outcomes import NotTaken, Outcome, Waiting
from .pipeline import ACCEPTS

Headers = Mapping[bytes, bytes]
Said = tuple[tuple[bytes, bytes], ...]

SESSION = b"application/vnd.veraison.challenge-response-session+json"
CLOSE: Said = ((b"connection", b"close"),)
RETRY: Said = ((b"retry-after", b"5"),)

_PROBLEM = b"application/problem+json"
_UEID = re.compile(r"(?:[0-9a-f]{2}){7,33}")
_FORMS = {form.encode(): form for form in ACCEPTS}
_ACCEPT_JSON = json.dumps(ACCEPTS).encode()
_ACCEPT_LIST = ", ".join(ACCEPTS).encode()


class Reply(NamedTuple):
    """One whole answer."""

    status: int
    body: bytes
    media_type: bytes | None
    headers: Said = ()


Tell = Callable[[Reply], None]
Take = Callable[[bytes, Tell], None]  # the body of a request, and who waits for the answer


class Problem(Exception):
    """An answer that is no result (RFC 9457); `code` is the stable word."""

    def __init__(self, status: int, code: str, detail: str, headers: Said = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers

    @property
    def reply(self) -> Reply:
        body = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        return Reply(self.status, dump(body), _PROBLEM, self.headers)


def dump(said: Mapping[str, Any]) -> bytes:
    return json.dumps(said, separators=(",", ":")).encode()


# --- what is asked ---------------------------------------------------------------------------


def asked_for(query: bytes) -> bytes | None:
    """The ueid that the challenge is for, if the query names one; the nonce is ours to draw.

    The profile has one nonce size; a nonce of the caller's own would prove nothing to us.
    """
    if not query or query == b"nonceSize=32":
        return None
    said = parse_qs(query.decode("latin-1"), keep_blank_values=True)
    if "nonce" in said:
        raise Problem(400, "nonce.foreign", "the verifier draws the nonce")
    if said.get("nonceSize", [str(NONCE_BYTES)]) != [str(NONCE_BYTES)]:
        raise Problem(400, "nonce.size", f"the profile's nonce has {NONCE_BYTES} bytes")
    ueid = said.get("ueid")
    if ueid is None:
        return None
    if len(ueid) != 1 or not _UEID.fullmatch(ueid[0]):
        raise Problem(400, "id.malformed", "ueid is 14 to 66 hexadecimal digits, once")
    return bytes.fromhex(ueid[0])


def check_accept(accept: bytes | None) -> None:
    if accept is None or accept == b"*/*":
        return
    wanted = {part.partition(b";")[0].strip().lower() for part in accept.split(b",")}
    if not wanted & {b"*/*", b"application/*", b"application/json", SESSION}:
        raise Problem(406, "accept.unknown", f"answers are {SESSION.decode()}")


def media_type(headers: Headers) -> str:
    """Of evidence that may come to a session: asked before its first byte is read."""
    said = form_of(headers)
    check_accept(headers.get(b"accept"))
    return said


def form_of(headers: Headers) -> str:
    """Of evidence that may come, whatever answer is wanted."""
    kind = headers.get(b"content-type", b"")
    said = _FORMS.get(kind) or _FORMS.get(kind.partition(b";")[0].strip().lower())
    if said is None or headers.get(b"content-encoding", b"identity") != b"identity":
        why = f"evidence comes as {' or '.join(ACCEPTS)}, not encoded"
        raise Problem(415, "media.unsupported", why, ((b"accept", _ACCEPT_LIST),))
    announced = headers.get(b"content-length")
    if announced is not None and (not announced.isdigit() or int(announced[:10]) > MAX_BYTES):
        raise too_large()
    return said


def flood() -> Problem:
    return Problem(429, "server.flood", "too much from one address at once", RETRY)


def too_large() -> Problem:
    return Problem(413, "size.limit", f"evidence has at most {MAX_BYTES} bytes", CLOSE)


# --- what is answered ------------------------------------------------------------------------


def opened(challenge: Challenge, turning: bytes | None = None) -> Reply:
    """A new session, and where it is; `turning` is the id of a key that is to be replaced."""
    place = b"session/" + challenge.session.encode()
    rotate = b',"rotate":"%b"' % turning.hex().encode() if turning else b""
    body = b'{"status":"waiting",%b%b}' % (_said(challenge), rotate)
    return Reply(201, body, SESSION, ((b"location", place),))


def standing(challenge: Challenge, answer: str | None) -> Reply:
    """A session as it is now."""
    if answer is None:
        return Reply(200, b'{"status":"waiting",%b}' % _said(challenge), SESSION)
    body = b'{"status":"complete",%b,"result":"%b"}' % (_said(challenge), answer.encode())
    return Reply(200, body, SESSION)


def answered(outcome: Outcome, raw: bytes, media_type: str) -> Reply:
    """A session after a message. Put together by hand: nothing in it needs to be escaped."""
    if isinstance(outcome, Waiting):
        wanted = urlsafe_b64encode(outcome.wanted).rstrip(b"=")
        body = b'{"status":"waiting",%b,"wanted":["%b"]}' % (_said(outcome.challenge), wanted)
    else:
        body = b'{"status":"complete",%b,"evidence":{"type":"%b","value":"%b"},"result":"%b"}' % (
            _said(outcome.challenge),
            media_type.encode(),
            b64encode(raw),
            outcome.ear.encode(),
        )
    return Reply(200, body, SESSION)


def place(err: NotTaken) -> str:
    """What was wrong, and where."""
    path = f"{err.path}: " if err.path else ""
    at = f" (byte {err.offset})" if err.offset is not None else ""
    return f"{path}{err.text}{at}"


def _said(challenge: Challenge) -> bytes:
    """What every answer says of its session."""
    return b'"nonce":"%b","expiry":"%b","accept":%b' % (
        b64encode(challenge.nonce),
        _instant(challenge.expires),
        _ACCEPT_JSON,
    )


@lru_cache(maxsize=1024)
def _instant(at: int) -> bytes:
    """RFC 3339, UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
