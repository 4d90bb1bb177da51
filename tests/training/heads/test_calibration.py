"""Probabilities that mean what they say."""

from __future__ import annotations

import numpy as np
import pytest

from training.heads.calibration import AsIs, Rescaling, Temperature, calibrate, fit_temperature, logits_of
from training.reports.evaluation_metrics import balanced_weights, score

ROWS = 6000


def said_and_true(power: float, *, rows: int = ROWS, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities sharpened by a power, and labels drawn by what they were before."""
    random = np.random.default_rng(seed)
    true = random.dirichlet(np.full(classes, 0.4), rows)
    labels = (true.cumsum(1) > random.random((rows, 1))).argmax(1)
    sharp = true.clip(1e-6) ** power
    return (sharp / sharp.sum(1, keepdims=True)).astype(np.float32), labels


def test_a_temperature_finds_out_by_how_much_a_head_exaggerates() -> None:
    said, labels = said_and_true(2.0)
    assert fit_temperature(said, labels, are_probabilities=True).temperature == pytest.approx(2.0, rel=0.1)


def test_scores_are_taken_for_logits() -> None:
    said, labels = said_and_true(1.0)
    scores = (3 * logits_of(said)).astype(np.float32)
    found = fit_temperature(scores, labels, are_probabilities=False)
    assert found.temperature == pytest.approx(3.0, rel=0.1)
    assert score(found(scores), labels).ece < 0.02


def test_what_is_calibrated_is_left_as_it_is() -> None:
    said, labels = said_and_true(1.0)
    calibration = calibrate(said, labels, are_probabilities=True)
    assert score(calibration(said), labels).ece < 0.02
    assert isinstance(calibration, AsIs) or abs(getattr(calibration, "temperature", 1.0) - 1) < 0.05


@pytest.mark.parametrize("power", [0.4, 3.0], ids=["too humble", "too sure"])
def test_calibrating_mends_what_the_log_loss_sees(power: float) -> None:
    said, labels = said_and_true(power)
    fresh, fresh_labels = said_and_true(power, seed=1)
    calibration = calibrate(said, labels, are_probabilities=True)
    before, after = score(fresh, fresh_labels), score(calibration(fresh), fresh_labels)
    assert after.log_loss < before.log_loss
    assert after.ece < 0.03 < before.ece


def test_it_changes_no_rank() -> None:
    said, labels = said_and_true(3.0)
    calibration = calibrate(said, labels, are_probabilities=True)
    np.testing.assert_array_equal(calibration(said).argmax(1), said.argmax(1))


def test_with_weights_each_class_counts_the_same() -> None:
    """Of a frequent class that is told too humbly, and a rare one that is told too surely, the rare one decides."""
    labels = np.repeat([0, 1], [900, 100])
    said = np.full((1000, 2), 0.35, np.float32)
    said[labels == 0, 0] = 0.65
    said[labels == 1, 1] = np.where(np.arange(100) < 50, 0.95, 0.05)
    said[:, 0] = np.where(labels == 0, said[:, 0], 1 - said[:, 1])
    plain = fit_temperature(said, labels, are_probabilities=True)
    weighed = fit_temperature(said, labels, True, balanced_weights(labels))
    assert plain.temperature < weighed.temperature


def test_without_rows_nothing_is_fitted() -> None:
    said, labels = said_and_true(3.0, rows=0)
    assert calibrate(said, labels, are_probabilities=True) == AsIs()
    assert calibrate(said, labels, are_probabilities=False) == Temperature(1.0, of_probabilities=False)


def test_few_rows_that_are_all_told_apart_do_not_make_it_sure_of_everything() -> None:
    labels = np.arange(60) % 3
    said = np.full((60, 3), 0.1, np.float32)
    said[np.arange(60), labels] = 0.8
    calibration = calibrate(said, labels, are_probabilities=True)
    assert 0.9 < calibration(said).max() < 0.995


@pytest.mark.parametrize("is_log", [False, True], ids=["as they are", "logarithms"])
def test_rescaling_makes_numbers_of_mean_0_and_deviation_1_and_leads_back(is_log: bool) -> None:
    prices = np.random.default_rng(0).lognormal(3, 1, 500)
    rescaling = Rescaling.of(prices, is_log=is_log)
    scaled = rescaling.undo(prices)
    assert (scaled.mean(), scaled.std()) == (pytest.approx(0), pytest.approx(1))
    np.testing.assert_allclose(rescaling(scaled.astype(np.float32)), prices, rtol=1e-4, atol=1e-4)


def test_a_probability_of_exactly_0_is_raised_even_if_no_row_at_hand_refutes_it() -> None:
    said = np.repeat(np.eye(3, dtype=np.float32), 50, axis=0)
    calibration = calibrate(said, said.argmax(1), are_probabilities=True)
    assert 1e-5 < calibration(said).min() < 0.05
