"""`tools.proof`: the page of figures, the threshold of ways without a promise, and figures that are kept."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tools.proof.kept_figures import KeptFigures
from tools.proof.measured_ways import plain_threshold
from tools.proof.proof_page import NETWORK, Figures, interval, line, page


def figures(right: int, wrong: int, accepted: int, *, unfamiliar: float | None = None, note: str = "") -> Figures:
    """Answers of which the first `right` are right, and the first `accepted` are accepted."""
    hits = np.array([True] * right + [False] * wrong)
    return Figures(hits, np.arange(len(hits)) < accepted, unfamiliar, 60.0, 1234.0, note)


def test_the_interval_is_students_enlarged_over_the_splits_and_exact_of_one() -> None:
    hits = [np.arange(100) < right for right in (80, 90)]
    assert interval(hits) == "0.850 ± 0.778"  # t(.975, 1) = 12.706, deviation .0707, sqrt(1/2 + .2/.8)
    assert interval([hits[0]] * 3) == "0.800 ± 0.000"
    assert interval(hits[:1]) == "0.800 (0.708 to 0.873)"
    assert interval([]) == "-"


def test_a_row_has_the_share_right_among_accepted_of_the_splits_that_accept_some() -> None:
    rows = [figures(90, 10, 100, unfamiliar=0.02), figures(90, 10, 0, unfamiliar=0.04)]
    assert line("some way", rows, 2) == (
        "| some way | 0.900 ± 0.000 | 0.500 | 0.900 (0.824 to 0.951) | 0.030 | 60 | 1,234 |"
    )
    none = line("none accepted", [figures(5, 5, 0)], 1)
    assert none == "| none accepted | 0.500 (0.187 to 0.813) | 0.000 | - | - | 60 | 1,234 |"


def test_the_page_tells_the_gain_of_tuning_what_was_left_out_and_the_command() -> None:
    before, better, worse = figures(80, 20, 50), figures(90, 10, 50, note="better"), figures(70, 30, 50, note="worse")
    ways = {"Tandem, `--tune off`": [before, before], "Tandem": [better, worse], NETWORK: [before]}
    text = page({"solar": ways}, ["digits: not installed"], machine="2 cores", command="the command")
    assert "+10.0, -10.0 points; worse in 1 of 2" in text
    assert "- better\n- worse\n" in text
    assert "Splits: 2, test images of each: 100." in text
    assert "| network alone (1 of 2 splits) |" in text
    assert "Left out: digits: not installed." in text
    assert text.endswith("2 cores:\n\n    the command\n")


def test_a_data_set_without_a_tuning_has_its_table_alone() -> None:
    ways = {"Tandem, default bundle": [figures(95, 5, 80)]}
    text = page({"fashion-mnist": ways}, [], machine="2 cores", command="the command")
    assert "Splits: 1, test images of each: 100.\n" in text
    assert "--tune off`, split by split" not in text


def test_the_plain_threshold_is_the_lowest_that_reached_the_target() -> None:
    sure = np.array([0.99, 0.95, 0.9, 0.8, 0.7, 0.6])
    answers = np.column_stack([sure, 1 - sure])
    labels = np.array([0, 0, 0, 0, 1, 0])
    assert plain_threshold(answers, labels, 0.95) == pytest.approx(0.8)
    assert plain_threshold(answers, 1 - labels, 0.95) == math.inf


def test_answers_that_are_as_sure_are_accepted_together_or_not_at_all() -> None:
    sure = np.array([0.95, 0.9, 0.9, 0.9])
    answers = np.column_stack([sure, 1 - sure])
    assert plain_threshold(answers, np.array([0, 0, 1, 1]), 0.95) == pytest.approx(0.95)


def test_figures_are_kept_for_each_split_and_setting(tmp_path: Path) -> None:
    kept, measured = KeptFigures("9", tmp_path), {"some way": figures(3, 2, 4, unfamiliar=0.1, note="said")}
    kept.save("solar", 1000, measured)
    found = kept.load("solar", 1000)
    assert found is not None
    for one, other in zip(vars(found["some way"]).values(), vars(measured["some way"]).values(), strict=True):
        assert np.array_equal(one, other)
    assert kept.load("solar", 1001) is None
    assert KeptFigures("5", tmp_path).load("solar", 1000) is None
