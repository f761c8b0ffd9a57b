"""What all tests share."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with boards first: they wait most, and no worker is left alone with one at the end."""
    items.sort(key=lambda item: item.get_closest_marker("vm") is None)
