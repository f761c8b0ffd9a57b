# A report of this board, caught for an impostor: made on a copy, so this board notices nothing.
import _board
import _power


def _catch():
    import os

    import troth_agent

    return troth_agent.answer(os.urandom(32), True)


_power.mount()
_power.stand_in()
_board.write("report.cbor", _catch())
_board.end(0)
