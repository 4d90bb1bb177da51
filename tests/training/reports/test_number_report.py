"""What a person finds on the page of a head that names a number."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from training.reports.class_report import Counts, HeadChoice
from training.reports.evaluation_metrics import Errors
from training.reports.number_report import EstimateReport, render


@pytest.fixture
def report() -> EstimateReport:
    """Of ten prices, of which the two largest are beyond their intervals."""
    values = np.arange(10.0, 110, 10)
    return EstimateReport(
        model="cars@1",
        head="price",
        created=datetime(2026, 1, 2, tzinfo=UTC),
        hardware="1 x cpu",
        settings={},
        counts=Counts(train=80, validation=10, test=10),
        errors={"linear regression": Errors(1.0, 2.0, 0.9)},
        served="linear regression",
        values=values,
        truths=np.where(values > 85, 2 * values + 1, values),
        intervals=np.stack([values / 2, values * 2], axis=1),
        accepted_share=1.0,
        steps={},
        sizes={},
    )


def text_of(report: EstimateReport) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", render(report).decode())).replace("\N{NO-BREAK SPACE}", " ")


def test_the_page_says_how_often_the_intervals_hold_by_fifths(report: EstimateReport) -> None:
    text = text_of(report)
    assert "nine of ten unseen numbers; of the 10 test images it holds 80.0 %" in text
    assert "10 \N{EN DASH} 20 2 100.0 % 22.5" in text
    assert "90 \N{EN DASH} 100 2 0.0 % 142.5" in text


def test_the_page_says_what_adds_nothing(report: EstimateReport) -> None:
    choices = [HeadChoice("ridge", {"RMSE": 1234567.8, "MAE": 0.000012345}, True)]
    shown = replace(report, head_choices=choices, on_choice=("the image adds nothing here: 1 off alone",))
    assert "The image adds nothing here: 1 off alone." in text_of(shown)
    assert "1,235,000 1.234e-05" in text_of(shown)


def test_without_intervals_the_page_is_silent_about_them(report: EstimateReport) -> None:
    assert "interval" not in re.sub(
        r"<style>.*</style>", "", render(replace(report, intervals=None)).decode(), flags=re.S
    )
