# What this board can truthfully say of itself. A fact that it cannot know is absent.
import time

from micropython import const

from . import Trouble, boot, forget, identity

_IAT = const(6)
_UEID = const(256)
_UPTIME = const(261)
_BOOTCOUNT = const(267)
_BOOTSEED = const(268)
_COUNTER = const(-80002)
_FIRST_YEAR = const(2025)  # a clock that says less was never set
_EPOCH_2000 = const(946684800)


class Board:
    def __init__(self, settings, root=""):
        self.settings = settings
        self.root = root

    # the pinned CA, DER
    def ca(self):
        try:
            with open(self.root + self.settings["ca"], "rb") as file:
                return file.read()
        except OSError:
            raise Trouble("settings.ca", "cannot read %s" % self.settings["ca"])

    # what changes with every report: the token's claims by their labels
    def session(self):
        this_boot = boot.this()
        said = {
            _UEID: identity.ueid(),
            _UPTIME: this_boot.uptime_s(),
            _BOOTCOUNT: this_boot.count,
            _BOOTSEED: this_boot.seed,
            _COUNTER: this_boot.next_token(),
        }
        iat = _unix_time()
        if iat is not None:
            said[_IAT] = iat
        return said

    # the detached claims-set, as bytes; in small steps, for a board that runs an application
    def steps(self):
        yield from boot.steps()
        from . import files

        found = yield from files.survey(self.root, identity.home())
        forget("files", "secrets")
        from . import claims

        said = claims.claims_set(claims.facts(self, found))
        forget("claims")
        return said


# Unix seconds, or None: the board has no clock or it was never set.
def _unix_time():
    if time.gmtime()[0] < _FIRST_YEAR:
        return None
    now = int(time.time())
    return now + _EPOCH_2000 if time.gmtime(0)[0] == 2000 else now
