"""A first duty of one's own: whole, clean and tested, to be changed line by line."""

from __future__ import annotations

import re

from ..trouble import Trouble

IDENT = re.compile(r"[a-z][a-z0-9]*(\.[a-z][a-z0-9-]*)+")

_TEXT = """\
# A duty of your own. Change it line by line; `troth duty lint` says what does not fit, and
# `troth duty test` runs the tests at the end. Names are those of claims.yaml: d. the device's word,
# r. our registry and releases, m. the maker's statement, v. what the verifier saw, now.
id: {ident}
title:
  en: "The clock of the unit is close"
  nl: "De klok van het apparaat loopt gelijk"
rationale: >
  Say in your own words why this is asked, in a sentence or two.
severity: low # critical high medium low
party: operator # who owes it: maker importer distributor operator supplier user
subject: unit # unit release model maker
needs: P0
baseline: false
ok: "v.skew_s > -60 && v.skew_s < 60"
because:
  met: "the clock is off by {{v.skew_s}} s"
  not-met: "the clock is off by {{v.skew_s}} s, want less than 60"
remedies:
  operator: "let the unit set its clock"
tests:
  - {{given: {{v.skew_s: 3}}, expect: met}}
  - {{given: {{v.skew_s: 75}}, expect: not-met}}
  - {{given: {{}}, expect: not-shown}}
"""


def template(ident: str) -> str:
    """The text of a new duty file."""
    if not IDENT.fullmatch(ident):
        raise Trouble("duty.field", f"{ident[:60]!r} is no id", fix="an id like acme.no-telnet")
    return _TEXT.format(ident=ident)
