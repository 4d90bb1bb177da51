"""What the tests of the service share: engines on tiny bundles, loaded once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ["BENTOML_DO_NOT_TRACK"] = "true"

from models.runtime.engine import Engine
from service import coordination
from tests.service.serving import METRICS, HeldEngine


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell that runs the tests may have TANDEM_ variables of its own."""
    for name in [name for name in os.environ if name.upper().startswith("TANDEM_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory that a server's workers share; what this process counts stays in its own."""
    assert METRICS._tally
    monkeypatch.setenv(coordination.VARIABLE, str(tmp_path))
    return tmp_path


@pytest.fixture(scope="session")
def two_heads(tiny_columns_path: Path) -> Engine:
    """An engine of two heads: `shade`, which answers where none is named, and `priced`, which takes columns."""
    return Engine.load(tiny_columns_path, device="cpu")


@pytest.fixture
def held_engine(tiny_path: Path) -> HeldEngine:
    """An engine that computes nothing before it is let go."""
    return HeldEngine.load(tiny_path, device="cpu")
