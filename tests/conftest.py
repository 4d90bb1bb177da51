"""Fixtures that more than one folder of tests uses."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from models.runtime.engine import Engine
from tests.chaos.rig.reliability import pytest_addoption, pytest_configure, pytest_sessionfinish, reliability
from tests.tiny_bundle import COLUMNS, tiny_bundle

__all__ = ["pytest_addoption", "pytest_configure", "pytest_sessionfinish", "reliability"]  # hooks and a fixture


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests come first, so that no process waits for another at the end. The order is kept otherwise."""
    items.sort(key=lambda item: "training" not in item.path.parts)


@pytest.fixture(scope="session")
def tiny_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`.../tiny/1`: a bundle with one head; to be read only."""
    return tiny_bundle(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session")
def tiny_columns_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`.../tiny/1`: a bundle with the heads `shade` and, with columns, `priced`; to be read only."""
    return tiny_bundle(tmp_path_factory.mktemp("store"), heads={"shade": (), "priced": COLUMNS})


@pytest.fixture(scope="session")
def priced_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`.../priced/1`: a bundle whose one head takes columns; to be read only."""
    return tiny_bundle(tmp_path_factory.mktemp("store"), name="priced", heads={"priced": COLUMNS})


@pytest.fixture(scope="session")
def engine(tiny_path: Path) -> Engine:
    """An engine on the tiny bundle."""
    return Engine.load(tiny_path, device="cpu")


@pytest.fixture(scope="session")
def priced_engine(priced_path: Path) -> Engine:
    """An engine whose head takes the columns `shift`, `force` and `invert`."""
    return Engine.load(priced_path, device="cpu")


@pytest.fixture(scope="session")
def pooling_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`.../pooling/1`: a bundle that pools by mean and max, with the heads `shade` and `level`; to be read only."""
    store = tmp_path_factory.mktemp("store")
    return tiny_bundle(store, name="pooling", pooling=("mean", "max"), explained=True, regressions=["level"])


@pytest.fixture(scope="session")
def pooling_engine(pooling_path: Path) -> Engine:
    """An engine that decides on several images of one thing by their mean brightness."""
    return Engine.load(pooling_path, device="cpu")


@pytest.fixture
def tiny_copy(tiny_path: Path, tmp_path: Path) -> Path:
    """A copy of the bundle that a test may damage."""
    return shutil.copytree(tiny_path, tmp_path / "tiny" / "1")
