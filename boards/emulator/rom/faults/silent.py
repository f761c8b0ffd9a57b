# no more reports: the board runs on and says nothing
import time

from troth_agent.link import http


def _nothing(*_args):
    while True:
        time.sleep(3600)


http.report = _nothing
