# every other report is the one before, sent again in a new session
import _rogue

_last = []


def _keep(facts, session, key, nonce):
    evidence = _rogue.honest(facts, session, key, nonce)
    _last[:] = [evidence]
    return evidence


def _again(facts, session, key, nonce):
    return _last[0]


_rogue.in_turn(_keep, _again)
