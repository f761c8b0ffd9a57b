# no more reports: the board runs on and says nothing
import time

from troth_agent import loop


def _nothing(*_args):
    while True:
        time.sleep(3600)


loop.report = _nothing
