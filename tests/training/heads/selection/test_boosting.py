"""Boosted trees: what they find, that they find nothing in noise, and what a head without any is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.bundle.head_spec import HeadSpec
from models.runtime.head_sessions import Head
from models.runtime.sessions import cpu_session
from tests.training.heads.run_graphs import answer
from tests.training.plain_source import plain_source
from tests.training.worlds import COLUMNS, World, training_data
from training.data.split import make_folds
from training.heads.calibration import LEAST, Temperature
from training.heads.fitted_head import FittedHead
from training.heads.graphs.head_export import export_head
from training.heads.head_fit import Fitting, HeadFit
from training.heads.intervals import COVERED
from training.heads.labelled_embeddings import LabelledEmbeddings
from training.heads.registry import DEFAULTS, REGISTRY
from training.heads.selection.boosting import BoostedFit, boost, separate_parts
from training.heads.selection.candidates import Candidate, cross_validate
from training.heads.selection.search import fit_heads
from training.heads.sources import Source
from training.reports.evaluation_metrics import Errors, errors
from training.stages.head_plan import HeadPlan
from training.stages.model_selection import select_head
from training.stages.training_data import TrainingData

BOOSTED = [name for name in DEFAULTS["regression"] if REGISTRY[name].boosts]


def source_of(data: TrainingData) -> Source:
    (source,) = data.sources.values()
    return source


def fitted(kind: str, data: TrainingData, *, is_log: bool = False) -> Candidate:
    fitting = Fitting(columns=data.dataset.columns, is_log=is_log)
    return fit_heads([REGISTRY[kind]], source_of(data), fitting)[0]


def unseen_errors(head: FittedHead, data: TrainingData) -> Errors:
    test = data.test
    return errors(head(test.embedding, test.rows), test.labels)


@pytest.mark.parametrize(
    ("world", "kind"),
    [("columns", "boosted_columns"), ("columns", "boosted_linear"), ("both", "boosted_linear"),
     ("both", "boosted_components")],
    ids=["columns alone", "columns beside an embedding", "both", "components and columns"],
)  # fmt: skip
def test_trees_find_what_a_linear_model_cannot(world: World, kind: str, tmp_path: Path) -> None:
    data = training_data(world, 500, tmp_path)
    linear, boosted = (
        unseen_errors(fitted(name, data).finished(source_of(data)), data) for name in ("linear_regression", kind)
    )
    assert boosted.mae < 0.9 * linear.mae


@pytest.mark.parametrize("kind", BOOSTED)
@pytest.mark.parametrize("rows", [60, pytest.param(500, marks=pytest.mark.slow)])
def test_trees_find_nothing_in_noise(kind: str, rows: int, tmp_path: Path) -> None:
    found, unseen = [], []
    for seed in range(5):
        data = training_data("nothing", rows, tmp_path, seed=seed)
        candidate = fitted(kind, data)
        assert isinstance(candidate.scores, Errors)
        found.append(candidate.scores.r2)
        unseen.append(unseen_errors(candidate.finished(source_of(data)), data).r2)
    assert np.mean(found) <= 0.02
    assert np.mean(unseen) >= -0.05


@pytest.mark.parametrize("kind", DEFAULTS["regression"])
@pytest.mark.parametrize("is_log", [False, True], ids=["as they are", "logarithms"])
@pytest.mark.parametrize("rows", [20, 60])
def test_few_rows_give_a_head_that_serves(kind: str, rows: int, is_log: bool, tmp_path: Path) -> None:
    data = training_data("columns", rows, tmp_path)
    head = select_head(data, HeadPlan(kind, examples=0, target_transform="log" if is_log else "none")).head
    values, bounds = head.head.answer(data.test.embedding, data.test.rows)
    assert np.isfinite(values).all()
    assert bounds is not None
    assert ((bounds[:, 0] <= values[:, 0]) & (values[:, 0] <= bounds[:, 1])).all()


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.slow if kind in BOOSTED else ()) for kind in DEFAULTS["regression"]]
)
def test_intervals_cover_nine_of_ten_unseen_numbers(kind: str, tmp_path: Path) -> None:
    covered = []
    for seed in range(2):
        data = training_data("both", 300, tmp_path, tested=2000, seed=seed)
        head = select_head(data, HeadPlan(kind, examples=0, target_transform="none", seed=seed)).head
        _, bounds = head.head.answer(data.test.embedding, data.test.rows)
        assert bounds is not None
        covered.append(np.mean((bounds[:, 0] <= data.test.labels) & (data.test.labels <= bounds[:, 1])))
    assert np.mean(covered) == pytest.approx(COVERED, abs=0.04)


def test_the_graph_of_trees_that_see_a_whole_embedding_agrees(tmp_path: Path) -> None:
    data = training_data("both", 500, tmp_path)
    candidate = fitted("boosted_linear", data)
    assert "seeing the embedding" in candidate.name
    head, test = candidate.finished(source_of(data)), data.test
    spec = HeadSpec(name="price", kind="boosted_linear", task="regression", columns=COLUMNS)
    found = Head(cpu_session(export_head(head, spec, test.embedding, test.rows)), spec)(test.embedding, test.rows)
    np.testing.assert_allclose(found, head(test.embedding, test.rows), rtol=1e-5)


def test_the_same_seed_grows_the_same_trees(tmp_path: Path) -> None:
    data = training_data("both", 100, tmp_path)
    first, second = (fitted("boosted_linear", data) for _ in range(2))
    np.testing.assert_array_equal(first.answers, second.answers)


def test_without_trees_a_classifier_is_its_linear_model_to_the_floor_of_its_probabilities() -> None:
    generator, labels = np.random.default_rng(0), np.arange(200) % 5
    embedding = (np.eye(5)[labels] + generator.normal(0, 0.4, (200, 5))).astype(np.float32)
    none = LabelledEmbeddings(embedding[:0], labels[:0], [])
    source = plain_source(
        LabelledEmbeddings(embedding, labels, [{}] * 200), make_folds(labels, np.arange(200), 5, 0), none
    )
    fitting = Fitting(5)
    linear = fit_heads([REGISTRY["logistic_regression"]], source, fitting)[0]
    floors = Temperature(0.7, of_probabilities=True, least=0.01)
    base = replace(linear, calibration=floors)
    boosted = boost(REGISTRY["boosted_linear"], base, source, fitting, sees_embedding=False)
    assert boosted.setting == "no trees"
    unseen = generator.normal(0, 3, (500, 5)).astype(np.float32)
    wanted, head = base.finished(source)(unseen), boosted.finished(source)
    without = replace(base, calibration=replace(floors, least=LEAST)).finished(source)(unseen)
    assert np.abs(without - wanted).max() > 1e-3  # the floor is reached
    assert np.abs(head(unseen) - wanted).max() < 1e-5
    assert np.abs(answer(head, unseen) - wanted).max() < 1e-5


CORNERS = Fitting(2, COLUMNS[:1])


def corners(rows: int, *, seed: int = 0, rare: int = 2) -> LabelledEmbeddings:
    """Two classes that no line divides: `rare` in 10 rows lie far from 0 in the column, on both sides."""
    random = np.random.default_rng(seed)
    labels = (np.arange(rows) % 10 < rare).astype(np.int64)
    weight = random.normal(0, 0.5, rows) + labels * 3.0 * random.choice([-1, 1], rows)
    embedding = random.normal(size=(rows, 4)).astype(np.float32)
    return LabelledEmbeddings(embedding, labels, [{"weight": float(value)} for value in weight])


def corner_source(rows: int = 400, **changes: object) -> Source:
    labelled = corners(rows)
    source = plain_source(labelled, make_folds(labelled.labels, np.arange(rows), 5, 0), labelled.part(np.arange(0)))
    return replace(source, **changes)  # type: ignore[arg-type]


def boosted_corners(source: Source, fitting: Fitting = CORNERS) -> Candidate:
    """Trees on a linear model that no hinges help."""
    logistic = REGISTRY["logistic_regression"]
    fit = HeadFit(logistic, logistic.settings["C = 0.1"], logistic.preparations[0], fitting)
    base = cross_validate(fit, source, {})
    return boost(REGISTRY["boosted_linear"], base, source, fitting, sees_embedding=False)


def right(head: FittedHead, fresh: LabelledEmbeddings) -> float:
    return float((head(fresh.embedding, fresh.rows).argmax(1) == fresh.labels).mean())


def test_trees_divide_classes_that_a_linear_model_cannot() -> None:
    source, fresh = corner_source(), corners(2000, seed=1)
    candidate = boosted_corners(source)
    assert isinstance(candidate.fit, BoostedFit)
    assert right(candidate.fit.base.finished(source), fresh) < 0.85
    assert right(candidate.finished(source), fresh) > 0.97
    assert (candidate.answers.argmax(1) == source.held_out.labels).mean() > 0.95


def test_trees_of_balanced_classes_find_a_rare_class_more_often() -> None:
    fresh, recalls = corners(4000, seed=1, rare=1), []
    labelled = corners(400, rare=1)
    labels = np.where(np.random.default_rng(2).random(400) < 0.1, 1 - labelled.labels, labelled.labels)
    source = corner_source(held_out=replace(labelled, labels=labels))
    for is_balanced in (False, True):
        head = boosted_corners(source, replace(CORNERS, is_balanced=is_balanced)).finished(source)
        recalls.append(head(fresh.embedding, fresh.rows)[fresh.labels == 1, 1].mean())
    assert recalls[1] > recalls[0] + 0.1


def test_dropped_rows_are_predicted_and_no_tree_is_fitted_on_them() -> None:
    source = corner_source()
    wrong = np.flatnonzero(source.held_out.labels == 0)[:60]
    labels = source.held_out.labels.copy()
    labels[wrong] = 1
    fitted = np.ones(400, bool)
    fitted[wrong] = False
    source = replace(source, held_out=replace(source.held_out, labels=labels), fitted=fitted)
    candidate = boosted_corners(source)
    assert candidate.answers.shape == (400, 2)
    assert (candidate.answers[wrong].argmax(1) == 0).mean() > 0.95, "the wrong labels were not learnt"
    assert isinstance(candidate.fit, BoostedFit)
    assert not np.isin(candidate.fit.data.rows, wrong).any()


def test_a_class_that_a_fold_is_missing_is_neither_fitted_on_nor_predicted_there() -> None:
    source = corner_source()
    labels = source.held_out.labels.copy()
    labels[0] = 2  # its fold's base is fitted on no row of this class
    candidate = boosted_corners(
        replace(source, held_out=replace(source.held_out, labels=labels)), replace(CORNERS, classes=3)
    )
    assert candidate.answers.shape == (400, 3)
    assert candidate.answers[0].argmax() != 2
    assert isinstance(candidate.fit, BoostedFit)
    assert 0 not in candidate.fit.data.rows
    assert np.isfinite(candidate.loss)
    assert (candidate.answers[1:].argmax(1) == labels[1:]).mean() > 0.95


def test_the_parts_of_a_boosted_head_are_its_linear_model_and_trees_that_need_no_margin() -> None:
    source, fresh = corner_source(), corners(2000, seed=1)
    candidate = boosted_corners(source)
    assert isinstance(candidate.fit, BoostedFit)
    parts = separate_parts(candidate, source)
    assert list(parts) == ["logistic regression alone", "boosted trees alone"]
    linear, trees = parts.values()
    wanted = candidate.fit.base.finished(source)
    np.testing.assert_array_equal(linear(fresh.embedding, fresh.rows), wanted(fresh.embedding, fresh.rows))
    assert trees.estimator.margin is None
    assert right(trees, fresh) > 0.97


@pytest.mark.parametrize("kind", ["logistic_regression", "decision_tree"])
def test_a_head_that_is_not_boosted_has_no_parts(kind: str) -> None:
    source = corner_source(100)
    assert separate_parts(fit_heads([REGISTRY[kind]], source, CORNERS)[0], source) == {}


def test_a_boosted_number_has_no_parts(tmp_path: Path) -> None:
    data = training_data("columns", 60, tmp_path)
    assert separate_parts(fitted("boosted_linear", data), source_of(data)) == {}
