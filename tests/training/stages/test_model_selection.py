"""`training.stages.model_selection`: which of the candidates serves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.bundle.input_spec import InputSpec
from tests.training.heads.selection.test_blending import two_views
from training.data.dataset import Dataset
from training.data.split import split
from training.heads.kind import blend_of
from training.heads.registry import AUTO, BEST, DEFAULTS, installed
from training.heads.selection.candidates import Candidate
from training.heads.sources import make_sources
from training.stages.head_plan import HeadPlan
from training.stages.model_selection import Selection, select_head
from training.stages.training_data import TrainingData

PLAN = HeadPlan(BEST, examples=0)


def training_data(rows: int, *, are_numbers: bool = False) -> TrainingData:
    labelled = two_views(rows)
    labels = labelled.embedding.sum(1).astype(np.float64) if are_numbers else labelled.labels
    classes = () if are_numbers else ("a", "b")
    spec = InputSpec(height=1, width=1, channels=1)
    dataset = Dataset("views", np.zeros((rows, 1, 1, 1), np.uint8), labels, classes, spec)
    parts = split(dataset, 0)
    found = make_sources(dataset, labelled.embedding, parts.known, {}, seed=0)
    return TrainingData(dataset, parts, labelled.embedding, parts.known, found, cache=None)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def selection() -> Selection:
    return select_head(training_data(400), PLAN)


def choices(selection: Selection) -> list[Candidate]:
    return [each for each in selection.candidates if each.is_choice]


def test_the_best_of_all_kinds_is_the_cheapest_that_is_as_good(selection: Selection) -> None:
    served, best = selection.candidates[0], min(choices(selection), key=lambda each: each.loss)
    assert {each.kind.name for each in choices(selection)} >= {kind.name for kind in installed()}
    assert served is best or not best.clearly_beats(served)
    assert all(best.clearly_beats(each) for each in choices(selection) if each.kind.row_us < served.kind.row_us)
    assert selection.head.spec.kind == served.kind.name


def test_a_blend_of_the_two_best_is_tried(selection: Selection) -> None:
    (blended,) = (each for each in selection.candidates if each.kind.parts)
    first, second = sorted((each for each in choices(selection) if not each.kind.parts), key=lambda each: each.loss)[:2]
    assert blended.kind == blend_of(first.kind, second.kind)
    assert blended.is_choice == blended.clearly_beats(first)


def test_of_the_default_kinds_none_is_blended() -> None:
    found = select_head(training_data(150, are_numbers=True), replace(PLAN, kind=AUTO))
    assert {each.kind.name for each in choices(found)} == {*DEFAULTS["regression"]} - {"boosted_columns"}
    assert not any(each.kind.parts for each in found.candidates)
    assert found.candidates[0].loss == min(each.loss for each in choices(found))


def test_numbers_are_named_by_the_cheapest_that_is_as_good() -> None:
    found = select_head(training_data(150, are_numbers=True), PLAN)
    assert {each.kind.name for each in choices(found)} >= {
        kind.name for kind in installed("regression") if not kind.needs_columns
    }
    assert found.head.spec.kind == "linear_regression"


def test_with_weights_only_kinds_that_take_them_are_tried() -> None:
    found = select_head(training_data(90), replace(PLAN, balance="weights"))
    assert {each.kind.name for each in choices(found) if not each.kind.parts} == {
        kind.name for kind in installed() if kind.takes_weights
    }
