"""Tuples with names that every report makes anew.

Their own constructor is written in Python: `new(Token, (...))` makes one in less than half the
time. The values stand in the order of the fields; nothing else tells them apart.
"""

new = tuple.__new__
