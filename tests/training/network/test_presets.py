"""`training.network.presets`: the presets as the manifest keeps them."""

from __future__ import annotations

import json

import pytest

from training.network.presets import PRESETS, Hyperparameters


@pytest.mark.parametrize("preset", PRESETS)
def test_hyperparameters_survive_json(preset: str) -> None:
    settings = PRESETS[preset].as_settings()
    assert json.loads(json.dumps(settings)) == settings


def test_hyperparameters_that_differ_have_settings_that_differ() -> None:
    assert (
        Hyperparameters(epochs=1, widths=(8, 16)).as_settings()
        != Hyperparameters(epochs=1, widths=(8, 17)).as_settings()
    )
