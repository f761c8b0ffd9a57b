# How a board's word travels. A link is a module of this package with
#     open(settings, context, ueid)    an opened link, its server proved; `context` is connection's
# and an opened link has
#     challenge()          a nonce of 32 bytes for one report of this board
#     deliver(evidence)    one of the answers below to a token or a bundle, whichever nonce it has
#     epoch()              the map `epoch` of troth.cddl, as the bytes that came
#     receipt(digests)     the verifier's receipt over 1 to 8 digests, as the bytes that came
#     rotate               after challenge(): the id in hex of a key that is to be replaced, if any
#     why                  the word with which the last REFUSED came, or ""
#     tls_version()        12 or 13, after the first exchange
#     close()              at any time, also after a failure
# None of them waits. All but the last three, and open itself, are generators to be called with
# `yield from`: each `yield ms` says that there is nothing to do for so long, and whoever drives
# them gives that time to the application or sleeps (connection.py has the ends of this thread).
# What the server does wrong is a Trouble, with the seconds that it asks to be left alone in
# `wait_s`; what the network does is an OSError.
from micropython import const

ACCEPTED = const(0)
WANTED = const(1)  # the verifier lacks the claims-set: deliver the bundle of the same token
REFUSED = const(2)
LATE = const(3)  # kept as history: the nonce is an epoch handle of long ago
