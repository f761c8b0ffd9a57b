# The signers behind one interface; "signer" in /troth.json names the one of this board.
# A signer's module has ORIGIN, load(settings) -> key or None, and create(settings) -> tested key.
# A key has kid, alg, public (x || y, or None for a MAC key) and sign(structure).
import json

from .. import Trouble

_SETTINGS = "/troth.json"


# The signer's module, and the settings that chose it. Only the chosen one is loaded.
def chosen():
    settings = _settings()
    name = settings.get("signer", "soft")
    if name == "soft":
        from . import soft

        return soft, settings
    if name == "efuse-hmac":
        from . import efuse_hmac

        return efuse_hmac, settings
    if name == "atecc608":
        from . import atecc608

        return atecc608, settings
    raise Trouble("signer.unknown", "%s: signer: want soft, efuse-hmac or atecc608" % _SETTINGS)


# A board that is not provisioned yet has no settings; broken ones are the settings module's matter.
def _settings():
    try:
        with open(_SETTINGS) as file:
            said = json.load(file)
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}
