# Literal secrets in text: a name that promises a secret, given a quoted value; a Wi-Fi key handed
# to connect() or config(); a private key in PEM. Only a count leaves this file, never a value.
# The host scans releases by the same tables; a test holds both scanners equal.

NAMES = (
    b"password",
    b"passwd",
    b"passphrase",
    b"pass",
    b"pwd",
    b"psk",
    b"secret",
    b"token",
    b"api_key",
    b"apikey",
    b"private_key",
)
CALLS = (b"connect(", b"config(")
PEM_TAIL = b"private key-----"
PEM_HEAD = b"-----begin "
MIN_VALUE = 4  # WebREPL's shortest password
MIN_WIFI_KEY = 8  # WPA2's shortest passphrase

_LETTERS = b"abcdefghijklmnopqrstuvwxyz"
_WORD = b"abcdefghijklmnopqrstuvwxyz0123456789_"
_MAX_LINE = 1024


# Counts the literal secrets of a stream that comes in blocks; a line is judged whole.
class Scanner:
    def __init__(self):
        self.hits = 0
        self._rest = b""

    def feed(self, block):
        text = self._rest + bytes(block).lower()
        self._rest = b""
        cut = text.rfind(b"\n") + 1
        if not cut and len(text) > _MAX_LINE:
            cut = len(text)
        self.hits += _count(text, cut)
        self._rest = text[cut:]

    def finish(self):
        self.hits += _count(self._rest, len(self._rest))
        self._rest = b""
        return self.hits


# In the lines before `stop`: no copy is made of them, for the heap is small.
def _count(text, stop):
    hits = 0
    for name in NAMES:
        at = text.find(name, 0, stop)
        while at >= 0:
            end = at + len(name)
            hits += _stands_alone(text, at, end) and _assigned(text, end)
            at = text.find(name, end, stop)
    for call in CALLS:
        at = text.find(call, 0, stop)
        while at >= 0:
            at += len(call)
            hits += _hands_over_key(text, at)
            at = text.find(call, at, stop)
    at = text.find(PEM_TAIL, 0, stop)
    while at >= 0:
        hits += text.find(PEM_HEAD, max(0, at - 24), at) >= 0
        at = text.find(PEM_TAIL, at + 1, stop)
    return hits


# `wifi_password` counts, `bypass` and `passed` do not.
def _stands_alone(text, at, end):
    return (at == 0 or text[at - 1] not in _LETTERS) and (
        end == len(text) or text[end] not in _WORD
    )


# A quoted value after `name =`, `"name":` or `x["name"] =`, but not after `==`.
def _assigned(text, at):
    at = _skip(text, at, b"\"'")
    at = _skip(text, at, b"]")
    at = _skip(text, at, b" \t")
    if text[at : at + 1] not in (b"=", b":") or text[at : at + 2] == b"==":
        return False
    return _literal(text, _skip(text, at + 1, b" \t"), MIN_VALUE)[0]


# `connect("ssid", "key")`, and `key="..."` among the arguments on this line.
def _hands_over_key(text, at):
    end = text.find(b"\n", at)
    line = text[at : end if end >= 0 else len(text)]
    key = line.find(b"key=")
    if key >= 0:
        return _literal(line, key + 4, MIN_WIFI_KEY)[0]
    found, at = _literal(line, 0, 1)
    at = _skip(line, _skip(line, at, b" "), b",")
    return found and _literal(line, _skip(line, at, b" "), MIN_WIFI_KEY)[0]


# Is there a string of that length here, closed on this line? And where it ends.
def _literal(text, at, shortest):
    if text[at : at + 1] in (b"b", b"r", b"f", b"u"):
        at += 1
    quote = text[at : at + 1]
    if quote not in (b'"', b"'"):
        return False, at
    end = text.find(quote, at + 1)
    line = text.find(b"\n", at + 1)
    if end < 0 or 0 <= line < end:
        return False, at
    return end - at - 1 >= shortest, end + 1


def _skip(text, at, chars):
    while at < len(text) and text[at] in chars:
        at += 1
    return at
