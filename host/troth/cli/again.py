"""Judge again what new records touch, at once; a running server does the same by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..settings import Settings
    from ..store import Store


def judge_again(settings: Settings, store: Store, now: int, *models: str) -> int:
    """Every unit of these models that ever reported; of all models when none is named."""
    from ..catalogue import bundled
    from ..core.waiver import Scope
    from ..fleet.clock import rejudge
    from ..fleet.context import Context
    from ..fleet.judging import Judge

    if not store.last_head():
        return 0
    ours = [each for model in models for each in store.of_scope(Scope.MODEL, model)]
    touched = ours if models else None
    context = Context(store, settings.policy)
    return rejudge(context, Judge(bundled(settings.policy.packs)), touched, now=now)
