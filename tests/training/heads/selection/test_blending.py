"""`training.heads.estimators.blend`: a weighted mean of two heads, chosen out of fold, in one graph."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.bundle.head_spec import HeadSpec
from models.bundle.input_spec import InputSpec
from models.columns import Column
from models.runtime.head_sessions import Head
from models.runtime.sessions import cpu_session
from tests.training.heads.test_registry import COLUMNS, embeddings_of, numbers_of, source_of
from tests.training.plain_source import plain_source
from training.data.dataset import Dataset
from training.heads.estimators.blend import Blend
from training.heads.graphs.head_export import export_head
from training.heads.head_fit import Fitting
from training.heads.intervals import fit_intervals
from training.heads.kind import Kind, blend_of
from training.heads.labelled_embeddings import LabelledEmbeddings
from training.heads.registry import REGISTRY, kind_named
from training.heads.selection.blending import blend
from training.heads.selection.candidates import Candidate
from training.heads.selection.search import Search, fit_heads
from training.heads.sources import Source
from training.policy.policies import PolicyTargets
from training.reports.evaluation_metrics import errors, log_losses
from training.stages.finishing import finish

LOGISTIC, TREE, BOOSTING, NEIGHBOURS = (
    REGISTRY[name] for name in ("logistic_regression", "decision_tree", "hist_gradient_boosting", "nearest_neighbours")
)
PAIR = blend_of(LOGISTIC, BOOSTING)


def two_views(rows: int, seed: int = 0) -> LabelledEmbeddings:
    """Classes that many numbers tell linearly, a little each, and one by its size."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, rows)
    embedding = random.normal(0, 1, (rows, 20)).astype(np.float32)
    embedding[:, 1:] += 0.35 * labels[:, None]
    embedding[:, 0] *= 1 + 2 * labels
    return LabelledEmbeddings(embedding, labels)


def held_out_source(labelled: LabelledEmbeddings) -> Source:
    return plain_source(labelled, np.random.default_rng(1).permutation(len(labelled)) % 5, labelled.part(np.arange(0)))


@pytest.mark.parametrize(
    ("kinds", "columns"),
    [((LOGISTIC, BOOSTING), ()), ((BOOSTING, LOGISTIC), COLUMNS), ((REGISTRY["boosted_linear"], NEIGHBOURS), COLUMNS)],
    ids=["on the image alone", "with columns", "of kinds with their own preparations"],
)
def test_the_graph_answers_as_the_heads_do(kinds: tuple[Kind, Kind], columns: tuple[Column, ...]) -> None:
    labelled, held_out, fresh = embeddings_of(600), embeddings_of(300, seed=1), embeddings_of(2000, seed=2)
    source = source_of(labelled, held_out)
    blended = fit_heads([blend_of(*kinds)], source, Fitting(3, columns))[0].finished(source)
    assert isinstance(blended, Blend)
    blended = replace(blended, share=0.35)  # so that both parts count
    spec = HeadSpec(name="category", kind=blended.kind.name, classes=("a", "b", "c"), columns=columns)
    graph = export_head(blended, spec, held_out.embedding, held_out.rows)
    head = Head.checked(cpu_session(graph), spec, 16)
    found = head(fresh.embedding, fresh.rows if columns else ())
    np.testing.assert_allclose(found, blended(fresh.embedding, fresh.rows), atol=1e-5)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
    first = replace(blended, share=1.0)(fresh.embedding, fresh.rows)
    assert np.abs(found - first).max() > 0.05


@pytest.mark.parametrize("is_log", [False, True], ids=["as they are", "through logarithms"])
def test_numbers_are_blended_with_intervals(*, is_log: bool) -> None:
    labelled, fresh = numbers_of(600), numbers_of(1000, seed=2)
    labelled, fresh = (
        replace(each, labels=np.maximum(each.labels + 60 * np.abs(each.embedding[:, 1]), 20))
        for each in (labelled, fresh)
    )
    source = held_out_source(labelled)
    kind = blend_of(REGISTRY["linear_regression"], REGISTRY["hist_gradient_boosting"])
    best = fit_heads([kind], source, Fitting(columns=COLUMNS, is_log=is_log))[0]
    blended = best.finished(source)
    features = blended.encoder(labelled.embedding, labelled.rows)
    values, labels = blended.calibration.undo(best.answers), blended.calibration.undo(labelled.labels)
    bounded = replace(blended, scale=fit_intervals(features, values, labels, source.folds, width=16))
    spec = HeadSpec(name="price", kind=kind.name, task="regression", columns=COLUMNS, interval_coverage=0.9)
    head = Head(cpu_session(export_head(bounded, spec, labelled.embedding, labelled.rows)), spec)
    found, bounds = head.answer(fresh.embedding, fresh.rows)
    np.testing.assert_allclose(found, bounded(fresh.embedding, fresh.rows), rtol=1e-4)
    np.testing.assert_allclose(bounds, bounded.interval(fresh.embedding, fresh.rows), rtol=1e-3)
    assert 0 < bounded.share < 1
    inside = (bounds[:, 0] <= fresh.labels) & (fresh.labels <= bounds[:, 1])
    assert 0.85 < inside.mean() < 0.95
    assert best.loss == errors(best.answers, labelled.labels).rmse


def test_two_kinds_that_see_different_things_are_better_together() -> None:
    source, fresh = held_out_source(two_views(1500)), two_views(4000, seed=2)
    search = Search(source, Fitting(2), "")
    search.choose([LOGISTIC, TREE])
    search.blend()
    blended, best = search.candidates[:2]
    assert blended.is_choice
    assert blended.kind.parts
    assert blended.clearly_beats(best)
    assert "decision tree" in blended.name
    assert "logistic regression" in blended.name
    losses = [
        float(log_losses(each.finished(source)(fresh.embedding), fresh.labels).mean()) for each in (blended, best)
    ]
    assert losses[1] - losses[0] == pytest.approx(best.loss - blended.loss, abs=0.012)
    assert losses[1] - losses[0] > 0.012


def test_a_blend_that_gains_nothing_was_only_tried() -> None:
    random = np.random.default_rng(0)
    embedding = random.normal(0, 1, (600, 6)).astype(np.float32)
    labels = (embedding[:, 0] + random.normal(0, 1, 600) > 0).astype(np.int64)
    search = Search(held_out_source(LabelledEmbeddings(embedding, labels)), Fitting(2), "")
    search.choose([LOGISTIC, TREE])
    search.blend()
    assert [each.kind.name for each in search.candidates if each.is_choice] == ["logistic_regression", "decision_tree"]
    assert any(each.kind.parts for each in search.candidates)


def test_the_weight_that_judges_a_fold_was_chosen_by_the_others() -> None:
    """The rows of one fold are told by the second kind alone; their own weight does not know it."""
    labelled = two_views(400)
    source = held_out_source(labelled)
    first, second = (fit_heads([kind], source, Fitting(2))[0] for kind in (LOGISTIC, TREE))
    right = np.stack([1 - labelled.labels, labelled.labels], 1).astype(np.float32).clip(0.01, 0.99)
    is_odd = (source.folds == 0)[:, None]
    first, second = (
        replace(each, answers=np.where(is_odd == flipped, 1 - right, right))
        for each, flipped in ((first, True), (second, False))
    )
    found = blend(first, second, source, Fitting(2))
    shares = {fold: _share(found, fold) for fold in range(5)}
    assert shares[0] == 1.0
    assert all(0.5 < shares[fold] < 1.0 for fold in range(1, 5))


def _share(candidate: Candidate, fold: int) -> float:
    head = candidate.crossed.without(fold)
    assert isinstance(head, Blend)
    return head.share


def test_where_one_fold_holds_all_rows_weights_are_judged_by_other_rows_too() -> None:
    source = source_of(two_views(400), two_views(300, seed=1))
    best = fit_heads([PAIR], source, Fitting(2))[0]
    assert len(best.crossed.heads) == 5
    positions = np.array([2, 30, 211])
    np.testing.assert_array_equal(best.answer(source.held_out.part(positions), positions), best.answers[positions])


def test_a_blend_is_named_after_its_kinds() -> None:
    assert PAIR.name == "blend of logistic_regression and hist_gradient_boosting"
    assert kind_named(PAIR.name) == PAIR
    assert kind_named("svm") is REGISTRY["svm"]
    assert PAIR.row_us == LOGISTIC.row_us + BOOSTING.row_us
    assert not blend_of(LOGISTIC, NEIGHBOURS).takes_weights


def test_a_blend_is_finished_as_any_other_head() -> None:
    labelled = two_views(300)
    spec = InputSpec(height=1, width=1, channels=1)
    dataset = Dataset("views", np.zeros((300, 1, 1, 1), np.uint8), labelled.labels, ("a", "b"), spec)
    source = held_out_source(labelled)
    best = fit_heads([blend_of(LOGISTIC, TREE)], source, Fitting(2))[0]
    head = finish(best, dataset, source, None, name="kind", targets=PolicyTargets(), seed=0)
    assert head.spec.kind == "blend of logistic_regression and decision_tree"
    assert head.held_out is not None
    np.testing.assert_array_equal(head.held_out.answers, best.answers)
    np.testing.assert_allclose(head.head(labelled.embedding), best.finished(source)(labelled.embedding), atol=1e-5)
