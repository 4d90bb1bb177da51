"""Drawings: what they hold, in whose colours."""

from __future__ import annotations

import re

from training.reports.charts import learning_curves

CURVES = {"hybrid": [(100, 0.7), (1000, 0.9)], "<b>pixels</b>": [(100, 0.6), (1000, 0.8), (60_000, 1.0)]}


def test_learning_curves_name_curves_and_sizes() -> None:
    svg = learning_curves(CURVES, 1000)
    for text in ("hybrid", "&lt;b&gt;pixels&lt;/b&gt;", "60,000", "training images", "90 %"):
        assert text in svg
    assert "<b>" not in svg


def test_learning_curves_take_the_colours_of_the_page() -> None:
    svg = learning_curves(CURVES, 1000)
    assert "var(--accent)" in svg
    assert not re.search(r"#0102\d\d", svg)


def test_the_same_figures_give_the_same_curves() -> None:
    assert learning_curves(CURVES, 1000) == learning_curves(CURVES, 1000)


def test_one_size_makes_a_drawing_too() -> None:
    assert learning_curves({"hybrid": [(100, 0.7)]}, 10).startswith("<svg")
