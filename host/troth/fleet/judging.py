"""The operator's judge is the core's: one memory, one meaning."""

from ..core.judging import Judge

__all__ = ["Judge"]
