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
        raise wrong("type", "", "an object")
    interval_s = said.get("interval_s", 0)
    if not _is_int(interval_s, 1) or interval_s > 604800:
        raise wrong("range", "interval_s", "a whole number of seconds, 1 to 604800")
    url, ca = said.get("url"), said.get("ca")
    _check_link(url, ca, said.get("link"))
    _check_services(said.get("services", {}))
    out = {
        "oemid": _oemid(said.get("oemid")),
        "hwmodel": text(said, "hwmodel", 32),
        "swname": text(said, "swname", 64),
        "swversion": text(said, "swversion", 64),
        "interval_s": interval_s,
        "url": url,
        "ca": ca,
        "scheme": url.split("://")[0] if url else None,
        "soft_key": said.get("signer", "soft") == "soft",
    }
    if _has_choices(said):
        from . import choices

        choices.add(out, said)
    return out


# What most boards leave out takes none of their heap.
def _has_choices(said):
    fresh, spool = said.get("fresh", "challenge"), said.get("spool", False)
    return fresh != "challenge" or spool is not False or "password" in said or "user" in said


def wrong(code, where, want):
    return Trouble("settings." + code, "%s: %s: want %s" % (PATH, where or "top level", want))


def _is_int(value, least):
    return isinstance(value, int) and value is not True and value is not False and value >= least


def text(said, name, longest):
    value = said.get(name)
    if not isinstance(value, str) or not 1 <= len(value.encode()) <= longest:
        raise wrong("range", name, "text of 1 to %d bytes" % longest)
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
    raise wrong("type", "oemid", "a number, or 6 or 32 hex digits")


def _check_link(url, ca, link):
    if link not in (None, "https", "mqtts"):
        raise wrong("range", "link", "https or mqtts")
    if url is None and ca is None:
        return
    schemes = (link,) if link else ("https", "mqtts")
    if not isinstance(url, str) or url.split("://")[0] not in schemes or "://" not in url:
        raise wrong("range", "url", "an address that begins with %s://" % ":// or ".join(schemes))
    if not isinstance(ca, str) or not ca.startswith("/"):
        raise wrong("range", "ca", "the absolute path of the CA certificate in DER")


def _check_services(services):
    if not isinstance(services, dict):
        raise wrong("type", "services", "an object")
    if not isinstance(services.get("webrepl", False), bool):
        raise wrong("type", "services/webrepl", "true or false")
    if not isinstance(services.get("ap", ""), (str, type(None))):
        raise wrong("type", "services/ap", "null or a Wi-Fi security such as wpa2")
