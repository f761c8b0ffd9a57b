"""What the pages read from: store, catalogue, policy and clock, behind one lock-free value."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request

from ..core.reference import Policy
from ..core.verdict import Catalogue
from ..fleet import words
from ..fleet.clock import advance
from ..fleet.context import Context
from ..fleet.judging import Judge
from ..store import Store
from ..trouble import Trouble


class Desk:
    """One per application."""

    def __init__(
        self, store: Store, catalogue: Catalogue, policy: Policy, clock: Callable[[], float]
    ) -> None:
        self.store = store
        self.catalogue = catalogue
        self.policy = policy
        self.context = Context(store, policy)
        self._judge = Judge(catalogue)
        self._clock = clock
        self._generation = -1

    @property
    def now(self) -> int:
        return int(self._clock())

    def turn(self) -> int:
        """The instant of this page, once all that the clock has outrun is written."""
        now = self.now
        generation = self.context.refresh()
        # new releases and statements change answers without a word from any device
        advance(self.context, self._judge, now=now, everyone=generation != self._generation)
        self._generation = generation
        return now


def desk(request: Request) -> Desk:
    found: Desk = request.app.state.desk
    return found


def instant(request: Request) -> int | None:
    """`?as_of=` in RFC 3339 or as a browser's date field sends it, always UTC. None: now.

    Trouble `usage.instant`, also of what is still to come: no page shows it as if it were known.
    """
    text = request.query_params.get("as_of", "").strip()
    if not text:
        return None
    asked = words.instant(text)
    if asked > desk(request).now:
        fix = "troth forecast tells what the clock will change"
        raise Trouble("usage.instant", f"{words.iso(asked)} is still to come", fix=fix)
    return asked
