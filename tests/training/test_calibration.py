"""Probabilities that mean what they say."""

from __future__ import annotations

import numpy as np
import pytest

from training.calibration import AsIs, Isotonic, Temperature, calibrate, fit_isotonic, fit_temperature, logits_of
from training.metrics import score

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
    calibration, judged = calibrate(said, labels, are_probabilities=True, seed=0)
    assert score(judged, labels).ece < 0.02
    assert isinstance(calibration, AsIs) or abs(getattr(calibration, "temperature", 1.0) - 1) < 0.05


@pytest.mark.parametrize("power", [0.4, 3.0], ids=["too humble", "too sure"])
def test_calibrating_mends_what_the_log_loss_sees(power: float) -> None:
    said, labels = said_and_true(power)
    fresh, fresh_labels = said_and_true(power, seed=1)
    calibration, judged = calibrate(said, labels, are_probabilities=True, seed=0)
    before, after = score(fresh, fresh_labels), score(calibration(fresh), fresh_labels)
    assert after.log_loss < before.log_loss
    assert after.ece < 0.03 < before.ece
    assert score(judged, labels).log_loss == pytest.approx(after.log_loss, abs=0.05)


def test_an_isotonic_curve_mends_what_no_temperature_can() -> None:
    said, labels = said_and_true(1.0, classes=2)
    bent = np.stack([1 - said[:, 1] ** 4, said[:, 1] ** 4], axis=1).astype(np.float32)
    calibration, _ = calibrate(bent, labels, are_probabilities=True, seed=0)
    assert isinstance(calibration, Isotonic)
    assert score(calibration(bent), labels).ece < 0.02


def test_an_isotonic_curve_rises_and_has_few_knots() -> None:
    said, labels = said_and_true(2.0)
    calibration = fit_isotonic(said, labels, are_probabilities=True)
    for xs, ys in zip(calibration.xs, calibration.ys, strict=True):
        assert 2 <= len(xs) <= 32
        assert (np.diff(xs) > 0).all()
        assert (np.diff(ys) >= 0).all()
    np.testing.assert_allclose(calibration(said).sum(1), 1, atol=1e-6)


def test_where_every_class_is_impossible_all_are_alike() -> None:
    curve = (np.array([0.5, 1.0]), np.array([0.0, 1.0]))
    calibration = Isotonic((curve[0],) * 2, (curve[1],) * 2)
    np.testing.assert_array_equal(calibration(np.full((1, 2), 0.5, np.float32)), [[0.5, 0.5]])


@pytest.mark.parametrize("rows", [0, 7])
def test_with_too_few_rows_nothing_is_fitted(rows: int) -> None:
    said, labels = said_and_true(3.0, rows=rows)
    calibration, judged = calibrate(said, labels, are_probabilities=True, seed=0)
    assert isinstance(calibration, AsIs)
    np.testing.assert_array_equal(judged, said)
    scored, _ = calibrate(said, labels, are_probabilities=False, seed=0)
    assert scored == Temperature(1.0, of_probabilities=False)


def test_the_same_seed_gives_the_same_calibration() -> None:
    said, labels = said_and_true(2.0)
    first, again = (calibrate(said, labels, are_probabilities=True, seed=3)[1] for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_few_rows_that_are_all_told_apart_do_not_make_it_sure_of_everything() -> None:
    labels = np.arange(60) % 3
    said = np.full((60, 3), 0.1, np.float32)
    said[np.arange(60), labels] = 0.8
    calibration, judged = calibrate(said, labels, are_probabilities=True, seed=0)
    assert 0.9 < calibration(said).max() < 0.995
    assert score(judged, labels).log_loss > 0.005
