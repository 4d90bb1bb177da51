"""`training.heads.repeated`: a head again on a part of what there is, with nothing searched for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.columns import Column
from tests.training.heads.selection.test_search import beside, overlapping
from training.heads.features.preparation import Preparation
from training.heads.head_fit import Fitting, HeadFit
from training.heads.kind import blend_of
from training.heads.registry import REGISTRY
from training.heads.selection.blending import BlendFit
from training.heads.selection.boosting import BoostedFit, separate_parts
from training.heads.selection.candidates import Candidate, cross_validate
from training.heads.selection.repeated import repeat
from training.heads.selection.search import fit_heads

LOGISTIC, TREE = REGISTRY["logistic_regression"], REGISTRY["decision_tree"]
SOURCE, BOTH = beside(overlapping(120)), Fitting(3, (Column(name="size", type="number"),))
IMAGE, COLUMNS = SOURCE.narrowed(None, with_columns=False), SOURCE.narrowed(0, with_columns=True)


@pytest.fixture(scope="module")
def boosted() -> Candidate:
    return fit_heads([REGISTRY["boosted_linear"]], SOURCE, BOTH)[0]


def test_the_setting_stays_and_the_features_are_those_that_there_are() -> None:
    preparation = Preparation("roots", "one", weight=30.0, expands=True)
    heavy = cross_validate(HeadFit(LOGISTIC, LOGISTIC.settings["C = 0.0001"], preparation, BOTH), SOURCE, {})
    assert repeat(heavy, SOURCE, BOTH).preparation == preparation
    assert repeat(heavy, SOURCE, BOTH).loss == pytest.approx(heavy.loss)
    image, columns = repeat(heavy, IMAGE, replace(BOTH, columns=())), repeat(heavy, COLUMNS, BOTH)
    assert image.preparation == Preparation("roots", "one")
    assert columns.preparation == replace(preparation, view="whole")
    for each in (image, columns):
        assert each.finished(IMAGE if each is image else COLUMNS).estimator.C == 0.0001


def test_trees_have_the_rounds_of_the_head(boosted: Candidate) -> None:
    assert isinstance(boosted.fit, BoostedFit)
    fewer = replace(boosted, fit=replace(boosted.fit, rounds=7))
    again = repeat(fewer, COLUMNS, BOTH)
    assert isinstance(again.fit, BoostedFit)
    assert again.fit.rounds == 7
    assert {each.estimator.trees.rounds for each in again.crossed.heads.values()} == {7}


def test_a_blend_is_of_the_same_parts() -> None:
    blended = next(each for each in fit_heads([blend_of(LOGISTIC, TREE)], SOURCE, BOTH) if each.kind.parts)
    again = repeat(blended, COLUMNS, BOTH)
    assert isinstance(again.fit, BlendFit)
    assert [part.kind for part in again.fit.parts] == [LOGISTIC, TREE]
    assert again.name == blended.name


def test_a_head_taken_apart_is_its_linear_model_and_trees_that_find_the_classes_by_themselves(
    boosted: Candidate,
) -> None:
    linear, trees = separate_parts(boosted, SOURCE).values()
    rows = SOURCE.held_out
    assert linear.kind is LOGISTIC
    assert (trees(rows.embedding, rows.rows).argmax(1) == rows.labels).mean() > 0.8
    assert trees.estimator.trees.rounds == 30
