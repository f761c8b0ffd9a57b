# The link over HTTPS for a board that sleeps or was away: Troth's own requests beside those of
# http.py, so that other boards need no heap for them.
from .. import decode
from . import http

_TROTH = "/troth/v1/"


def open(settings, context, ueid):
    return http.open(settings, context, ueid, Link)


class Link(http.Link):
    why = ""

    # In the session that challenge() opened, if it did, or on its own.
    def deliver(self, evidence):
        if self.location:
            return (yield from super().deliver(evidence))
        status, self.why = decode.answer((yield from self.post(_TROTH + "evidence", evidence)))
        return status

    def epoch(self):
        return (yield from self._plain("GET", "epoch", b""))

    def receipt(self, digests):
        return (yield from self._plain("POST", "receipt?ueid=" + self._ueid, b"".join(digests)))

    def _plain(self, verb, path, body):
        status, reply = yield from self.ask(verb, _TROTH + path, "application/octet-stream", body)
        if status != 200:
            raise self.refused("the server", status, reply)
        return reply
