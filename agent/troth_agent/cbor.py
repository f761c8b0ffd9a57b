# Deterministic CBOR, writing only (RFC 8949 section 4.2.1): shortest heads, definite lengths,
# map keys in bytewise order of their encoding.


class Tag:
    def __init__(self, number, value):
        self.number = number
        self.value = value


def encode(value):
    out = bytearray()
    _write(out, value)
    return bytes(out)


# The head of an item: its major type and its argument in the fewest bytes.
def head(out, major, n):
    major <<= 5
    if n < 24:
        out.append(major | n)
    elif n < 0x100:
        out.append(major | 24)
        out.append(n)
    elif n < 0x10000:
        out.append(major | 25)
        out.extend(n.to_bytes(2, "big"))
    elif n >> 32 == 0:
        out.append(major | 26)
        out.extend(n.to_bytes(4, "big"))
    elif n >> 64 == 0:
        out.append(major | 27)
        out.extend(n.to_bytes(8, "big"))
    else:
        raise ValueError("integer over 64 bits")


def _write(out, value):
    if value is None:
        out.append(0xF6)
    elif value is True:
        out.append(0xF5)
    elif value is False:
        out.append(0xF4)
    elif isinstance(value, int):
        if value < 0:
            head(out, 1, -1 - value)
        else:
            head(out, 0, value)
    elif isinstance(value, str):
        text = value.encode()
        head(out, 3, len(text))
        out.extend(text)
    elif isinstance(value, (bytes, bytearray)):
        head(out, 2, len(value))
        out.extend(value)
    elif isinstance(value, dict):
        _write_map(out, value)
    elif isinstance(value, (list, tuple)):
        head(out, 4, len(value))
        for item in value:
            _write(out, item)
    elif isinstance(value, Tag):
        head(out, 6, value.number)
        _write(out, value.value)
    else:
        raise TypeError("no CBOR for %s" % type(value))


# The sort asks for a key's encoding each time it compares: slower than to keep them all, but that
# would take four kilobytes of a board's heap.
def _write_map(out, entries):
    head(out, 5, len(entries))
    for key in sorted(entries, key=encode):
        _write(out, key)
        _write(out, entries[key])
