# /troth.json: what the maker chose for the product and what provisioning added. An error names the
# field and what was wanted, never the value: a broker's password is in there.
import json

from . import Trouble

PATH = "/troth.json"


# The validated settings as a plain dict (a dict lets this module leave the heap): oemid, hwmodel,
# swname, swversion, interval_s, soft_key (is the key in NVS?), url, ca, and scheme; the last three
# are None before provisioning. Only where they are chosen: fresh ("epoch"), spool (true) with
# receipt_key, and user and password for a broker.
def read(root=""):
    try:
        with open(root + PATH) as file:
            said = json.load(file)
    except OSError:
        raise Trouble("settings.missing", "no %s on this board" % PATH)
    except ValueError:
        raise Trouble("settings.json", "%s is not JSON" % PATH)
    return check(said)


def check(said):
    if not isinstance(said, dict):
        raise _wrong("type", "", "an object")
    interval_s = said.get("interval_s", 0)
    if not _is_int(interval_s, 1) or interval_s > 604800:
        raise _wrong("range", "interval_s", "a whole number of seconds, 1 to 604800")
    url, ca = said.get("url"), said.get("ca")
    _check_link(url, ca, said.get("link"))
    _check_services(said.get("services", {}))
    out = {
        "oemid": _oemid(said.get("oemid")),
        "hwmodel": _text(said, "hwmodel", 32),
        "swname": _text(said, "swname", 64),
        "swversion": _text(said, "swversion", 64),
        "interval_s": interval_s,
        "url": url,
        "ca": ca,
        "scheme": url.split("://")[0] if url else None,
        "soft_key": said.get("signer", "soft") == "soft",
    }
    _add_chosen(out, said)
    return out


def _wrong(code, where, want):
    return Trouble("settings." + code, "%s: %s: want %s" % (PATH, where or "top level", want))


def _is_int(value, least):
    return isinstance(value, int) and value is not True and value is not False and value >= least


def _text(said, name, longest):
    value = said.get(name)
    if not isinstance(value, str) or not 1 <= len(value.encode()) <= longest:
        raise _wrong("range", name, "text of 1 to %d bytes" % longest)
    return value


# A private enterprise number, or 3 or 16 bytes in hex (RFC 9711 section 4.2.3).
def _oemid(value):
    if _is_int(value, 0):
        return value
    if isinstance(value, str) and len(value) in (6, 32):
        try:
            return bytes.fromhex(value)
        except ValueError:
            pass
    raise _wrong("type", "oemid", "a number, or 6 or 32 hex digits")


def _check_link(url, ca, link):
    if link not in (None, "https", "mqtts"):
        raise _wrong("range", "link", "https or mqtts")
    if url is None and ca is None:
        return
    schemes = (link,) if link else ("https", "mqtts")
    if not isinstance(url, str) or url.split("://")[0] not in schemes or "://" not in url:
        raise _wrong("range", "url", "an address that begins with %s://" % ":// or ".join(schemes))
    if not isinstance(ca, str) or not ca.startswith("/"):
        raise _wrong("range", "ca", "the absolute path of the CA certificate in DER")


# What most boards leave out takes none of their heap.
def _add_chosen(out, said):
    fresh, spool = said.get("fresh", "challenge"), said.get("spool", False)
    if fresh not in ("challenge", "epoch"):
        raise _wrong("range", "fresh", "challenge or epoch")
    if not isinstance(spool, bool):
        raise _wrong("type", "spool", "true or false")
    if fresh == "epoch":
        out["fresh"] = fresh
    if spool and out["url"]:
        out["spool"] = True
        out["receipt_key"] = _receipt_key(said.get("receipt_key"))
    if "password" in said:
        out["password"] = _text(said, "password", 256)
    if "user" in said:
        out["user"] = _text(said, "user", 64)


# x || y of the verifier, without whose signed receipt nothing leaves the spool.
def _receipt_key(value):
    if isinstance(value, str) and len(value) == 128:
        try:
            return bytes.fromhex(value)
        except ValueError:
            pass
    raise _wrong("type", "receipt_key", "128 hex digits, as provisioning writes them, for a spool")


def _check_services(services):
    if not isinstance(services, dict):
        raise _wrong("type", "services", "an object")
    if not isinstance(services.get("webrepl", False), bool):
        raise _wrong("type", "services/webrepl", "true or false")
    if not isinstance(services.get("ap", ""), (str, type(None))):
        raise _wrong("type", "services/ap", "null or a Wi-Fi security such as wpa2")
