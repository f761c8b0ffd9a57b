"""The duties of care as data: claims, duties and regimes, type-checked when they are loaded."""

from .loader import bundled, load
from .testing import Failure, run_tests

__all__ = ["Failure", "bundled", "load", "run_tests"]
