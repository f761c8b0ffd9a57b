# every other report is signed by a key that nobody enrolled
import _rogue
from troth_agent import p256_public
from troth_agent.keys import birth, soft

_keys = []


def _sign_with_own(facts, session, key, nonce):
    if not _keys:
        private = birth.new_key()
        _keys.append(soft.SoftKey(private + p256_public.public_key(private)))
    return _rogue.honest(facts, session, _keys[0], nonce)


_rogue.in_turn(None, _sign_with_own)
