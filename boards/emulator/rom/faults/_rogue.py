# What the faults in reporting share: where the agent seals evidence and where it sends a report.
# They reach in from outside; the agent itself is the one that every other board runs.
from troth_agent import attest

honest = attest.Evidence


# Reports are made by these in turn; None makes an honest one.
def in_turn(*others):
    turn = [0]

    def make(facts, session, key, nonce):
        other = others[turn[0] % len(others)]
        turn[0] += 1
        return (other or honest)(facts, session, key, nonce)

    attest.Evidence = make


# evidence that is bytes already, in whatever form it is asked for
class Recorded:
    digest = b""

    def __init__(self, evidence):
        self._evidence = evidence

    def bare(self):
        return self._evidence

    bundle = bare
