"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import forge
    from emulator import vm
    from troth.store import Store


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with boards first: they wait most, and no worker is left alone with one at the end."""
    items.sort(key=lambda item: item.get_closest_marker("vm") is None)


@pytest.fixture(scope="session")
def machine() -> vm.Vm:
    """The MicroPython VM."""
    from emulator import vm

    if not os.environ.get("TROTH_MICROPYTHON") and not (vm.root() / "versions.json").exists():
        pytest.skip("no MicroPython VM here; `make test` sets it up")
    return vm.find_vm()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store of one's own, with nothing in it."""
    import house

    with house.new_store(tmp_path) as store:
        yield store


@pytest.fixture
def board(store: Store) -> forge.Device:
    """A board of the forge, enrolled there, that runs what was released."""
    import forge
    import house

    board = forge.Device(1)
    house.enrol(store, board)
    store.add_release(house.release(board), b"signed", at=house.NOW)
    return board
