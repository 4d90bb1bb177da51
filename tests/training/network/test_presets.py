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


def test_a_teacher_is_among_the_settings_of_its_network() -> None:
    settings = Hyperparameters(epochs=1, teacher=Hyperparameters(epochs=2)).as_settings()
    assert settings["teacher"] == Hyperparameters(epochs=2).as_settings()
    assert PRESETS["best"].of("gru").as_settings()["teacher"] is None
