"""`training.reports.evaluation_metrics` against scikit-learn and against sums done by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss

from training.reports import evaluation_metrics

rng = np.random.default_rng(0)
PROBABILITIES = rng.dirichlet(np.ones(4), 500)
LABELS = rng.integers(0, 4, 500)

# confidences 0.9, 0.8, 0.7, 0.6; right, right, wrong, right
FOUR = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]])
FOUR_LABELS = np.array([0, 1, 1, 1])


def test_accuracy_and_log_loss_are_scikit_learn_s() -> None:
    scores = evaluation_metrics.score(PROBABILITIES, LABELS)
    assert scores.accuracy == accuracy_score(LABELS, PROBABILITIES.argmax(1))
    assert scores.log_loss == pytest.approx(log_loss(LABELS, PROBABILITIES, labels=range(4)))


def test_a_true_class_that_was_given_no_probability_costs_much_but_not_everything() -> None:
    assert evaluation_metrics.score(np.array([[1.0, 0.0]]), np.array([1])).log_loss == pytest.approx(-math.log(1e-15))


def test_no_answers_have_no_scores() -> None:
    scores = evaluation_metrics.score(np.empty((0, 3)), np.empty(0, np.int64))
    assert all(map(math.isnan, (scores.accuracy, scores.log_loss, scores.ece)))


def test_the_confusion_matrix_is_scikit_learn_s() -> None:
    expected = confusion_matrix(LABELS, PROBABILITIES.argmax(1), labels=range(4))
    np.testing.assert_array_equal(evaluation_metrics.confusion(PROBABILITIES, LABELS), expected)


def test_a_class_without_images_keeps_its_row() -> None:
    assert evaluation_metrics.confusion(np.eye(3)[[0, 2]], np.array([0, 0])).tolist() == [
        [1, 0, 1],
        [0, 0, 0],
        [0, 0, 0],
    ]


def test_reliability_counts_every_answer_in_the_bin_of_its_confidence() -> None:
    found = evaluation_metrics.reliability(FOUR, FOUR_LABELS)
    assert found.count.tolist() == [0] * 9 + [1, 1, 0, 1, 1, 0]  # bins of 1/15
    assert found.confidence[[9, 10, 12, 13]] == pytest.approx([0.6, 0.7, 0.8, 0.9])
    assert found.accuracy[[9, 10, 12, 13]].tolist() == [1, 0, 1, 1]


def test_the_calibration_error_is_the_mean_gap() -> None:
    assert evaluation_metrics.reliability(FOUR, FOUR_LABELS).ece == pytest.approx((0.4 + 0.7 + 0.2 + 0.1) / 4)


def test_the_calibration_error_weighs_bins_by_their_count() -> None:
    same_bin = np.array([[0.95, 0.05], [0.97, 0.03], [0.04, 0.96], [0.6, 0.4]])
    expected = (3 * abs((0.95 + 0.97 + 0.96) / 3 - 2 / 3) + abs(0.6 - 1)) / 4
    assert evaluation_metrics.score(same_bin, np.array([0, 0, 0, 0])).ece == pytest.approx(expected)


def test_full_confidence_lies_in_the_last_bin() -> None:
    assert evaluation_metrics.reliability(np.eye(2), np.array([0, 1])).count[-1] == 2


def test_figures_are_rounded_to_digits_and_not_to_decimals() -> None:
    figures = {"mae": 1.23456789e-7, "rmse": 123456789.0, "r2": math.nan}
    assert evaluation_metrics.rounded(figures) == {"mae": 1.23457e-7, "rmse": 123457000.0}
