# What only few boards choose in /troth.json: another freshness, a spool, a name at the broker.
from .settings import text, wrong


def add(out, said):
    fresh, spool = said.get("fresh", "challenge"), said.get("spool", False)
    if fresh not in ("challenge", "epoch"):
        raise wrong("range", "fresh", "challenge or epoch")
    if not isinstance(spool, bool):
        raise wrong("type", "spool", "true or false")
    if fresh == "epoch":
        out["fresh"] = fresh
    if spool and out["url"]:
        out["spool"] = True
        out["receipt_key"] = _receipt_key(said.get("receipt_key"))
    if "password" in said:
        out["password"] = text(said, "password", 256)
    if "user" in said:
        out["user"] = text(said, "user", 64)


# x || y of the verifier, without whose signed receipt nothing leaves the spool.
def _receipt_key(value):
    if isinstance(value, str) and len(value) == 128:
        try:
            return bytes.fromhex(value)
        except ValueError:
            pass
    raise wrong("type", "receipt_key", "128 hex digits, as provisioning writes them, for a spool")
