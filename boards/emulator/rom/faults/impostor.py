# after its own report: another board's name under its own key, then that board's report replayed
import _emu
import _rogue

_UEID = 256  # its label in a token
_EUI = b"\x02"


def _in_its_name(facts, session, key, nonce):
    session[_UEID] = _EUI + _emu.read("victim.ueid")
    return _rogue.honest(facts, session, key, nonce)


def _its_words(facts, session, key, nonce):
    return _rogue.Recorded(_emu.read("victim.report"))


_rogue.in_turn(None, _in_its_name, _its_words)
