"""`tools.proof`: the page of figures, and the threshold of ways without a promise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tools.proof.measured_ways import plain_threshold
from tools.proof.proof_page import Figures, accuracy_of, line, page


def figures(right: int, wrong: int, accepted: int, *, unfamiliar: float | None = None, note: str = "") -> Figures:
    """Answers of which the first `right` are right, and the first `accepted` are accepted."""
    hits = np.array([True] * right + [False] * wrong)
    return Figures(hits, np.arange(len(hits)) < accepted, unfamiliar, 60.0, 1234.0, note)


def test_the_interval_is_students_over_the_splits_and_exact_of_one() -> None:
    hits = [np.arange(100) < right for right in (80, 90)]
    assert accuracy_of(hits) == "0.850 ± 0.635"  # t(.975, 1) = 12.706, deviation .0707 / sqrt(2)
    assert accuracy_of([hits[0]] * 3) == "0.800 ± 0.000"
    assert accuracy_of(hits[:1]) == "0.800 (0.708 to 0.873)"


def test_a_row_counts_what_is_right_among_accepted_over_all_splits() -> None:
    row = line("some way", [figures(90, 10, 50, unfamiliar=0.02), figures(80, 20, 100, unfamiliar=0.04)])
    assert row == "| some way | 0.850 ± 0.635 | 0.750 | 0.867 (0.802 to 0.917) | 0.030 | 60 | 1,234 |"
    assert (
        line("none accepted", [figures(5, 5, 0)])
        == "| none accepted | 0.500 (0.187 to 0.813) | 0.000 | - | - | 60 | 1,234 |"
    )


def test_the_page_tells_the_gain_of_tuning_what_was_left_out_and_the_command() -> None:
    before, better, worse = figures(80, 20, 50), figures(90, 10, 50, note="better"), figures(70, 30, 50, note="worse")
    ways = {"Tandem, `--tune off`": [before, before], "Tandem": [better, worse], "network alone": [before, before]}
    text = page({"solar": ways}, ["digits: not installed"], "the command")
    assert "+10.0, -10.0 points; worse in 1 of 2" in text
    assert "- better\n- worse\n" in text
    assert "Splits: 2, test images of each: 100." in text
    assert "Left out: digits: not installed." in text
    assert text.endswith("    the command\n")


def test_a_data_set_without_a_tuning_has_its_table_alone() -> None:
    text = page({"fashion-mnist": {"Tandem, default bundle": [figures(95, 5, 80)]}}, [], "the command")
    assert "Splits: 1, test images of each: 100.\n" in text
    assert "--tune off`, split by split" not in text


def test_the_plain_threshold_is_the_lowest_that_reached_the_target() -> None:
    sure = np.array([0.99, 0.95, 0.9, 0.8, 0.7, 0.6])
    answers = np.column_stack([sure, 1 - sure])
    labels = np.array([0, 0, 0, 0, 1, 0])
    assert plain_threshold(answers, labels) == pytest.approx(0.8)
    assert plain_threshold(answers, 1 - labels) == math.inf
