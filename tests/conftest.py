"""Fixtures that more than one folder of tests uses."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.chaos.rig.reliability import pytest_addoption, pytest_configure, pytest_sessionfinish, reliability
from tests.tiny_bundle import COLUMNS, tiny_bundle

__all__ = ["pytest_addoption", "pytest_configure", "pytest_sessionfinish", "reliability"]  # hooks and a fixture


@pytest.fixture(scope="session")
def tiny_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`.../tiny/1`: a bundle with one head; to be read only."""
    return tiny_bundle(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session")
def tiny_columns_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`.../tiny/1`: a bundle with the heads `shade` and, with columns, `priced`; to be read only."""
    return tiny_bundle(tmp_path_factory.mktemp("store"), heads={"shade": (), "priced": COLUMNS})


@pytest.fixture
def tiny_copy(tiny_path: Path, tmp_path: Path) -> Path:
    """A copy of the bundle that a test may damage."""
    return shutil.copytree(tiny_path, tmp_path / "tiny" / "1")
