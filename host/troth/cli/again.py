"""Judge again what new records touch, at once; a running server does the same by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..settings import Settings
    from ..store import Store


def judge_again(settings: Settings, store: Store, now: int, *models: str) -> int:
    """Every unit of these models that ever reported; of all models when none is named."""
    from ..catalogue import bundled
    from ..fleet.clock import rejudge
    from ..fleet.context import Context
    from ..fleet.judging import Judge

    states = store.states()
    touched = [row.id for row in store.devices() if not models or row.model in models]
    touched = [device for device in touched if device in states]
    if not touched:
        return 0
    context = Context(store, settings.policy)
    return rejudge(context, Judge(bundled(settings.policy.packs)), touched, now=now)
