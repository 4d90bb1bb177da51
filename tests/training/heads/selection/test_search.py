"""`training.heads.selection.search`: heads fitted, calibrated and compared by out-of-fold answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.columns import Column
from models.runtime.sessions import Embedder
from tests.training.plain_source import plain_source
from tests.training.squares import squares
from training.data.dataset import Dataset
from training.exceptions import DataError
from training.heads.head_fit import Fitting
from training.heads.labelled_embeddings import LabelledEmbeddings
from training.heads.registry import REGISTRY
from training.heads.selection.candidates import Candidate
from training.heads.selection.search import fit_heads
from training.heads.sources import Source

BOOSTING, LOGISTIC, TREE = (
    REGISTRY[name] for name in ("hist_gradient_boosting", "logistic_regression", "decision_tree")
)
THREE = Fitting(classes=3)


@pytest.fixture(scope="module")
def labelled(dataset: Dataset, embedder: Embedder) -> LabelledEmbeddings:
    return LabelledEmbeddings(embedder(np.asarray(dataset.images)), dataset.labels)


@pytest.fixture(scope="module")
def source(labelled: LabelledEmbeddings) -> Source:
    """Every row is held out once, in five folds."""
    return plain_source(labelled, np.arange(len(labelled)) // 3 % 5, labelled.part(np.arange(0)))


def overlapping(rows: int, classes: int = 3, *, width: int = 16, seed: int = 0) -> Source:
    random = np.random.default_rng(seed)
    labels = np.arange(rows) % classes
    embedding = random.normal(0, 1, (rows, width)).astype(np.float32)
    embedding[np.arange(rows), labels] += 1.5
    rows_ = LabelledEmbeddings(embedding, labels)
    return plain_source(rows_, random.permutation(rows) % 5, rows_.part(np.arange(0)))


def beside(source: Source) -> Source:
    """The same with a column that tells the classes apart, but for noise."""
    sizes = source.held_out.labels + np.random.default_rng(0).normal(0, 0.5, len(source.held_out))
    rows = [{"size": float(size)} for size in sizes]
    return replace(source, held_out=replace(source.held_out, rows=rows), seen=replace(source.seen, rows=rows[:0]))


def test_the_least_log_loss_comes_first_and_every_kind_is_judged(source: Source) -> None:
    found = fit_heads([BOOSTING, LOGISTIC], source, THREE, suffix="fitted on squares")
    assert {candidate.kind.name for candidate in found} == {"hist_gradient_boosting", "logistic_regression"}
    assert all(candidate.name.endswith(", fitted on squares") for candidate in found)
    choices = [candidate for candidate in found if candidate.is_choice]
    assert found[:2] == choices
    assert choices[0].loss <= choices[1].loss
    assert found[0].scores.accuracy == 1.0


def test_an_answer_is_of_a_head_that_has_not_seen_the_row() -> None:
    """A tree knows its own rows by heart; noise that it has not seen it cannot know."""
    random = np.random.default_rng(0)
    noise = LabelledEmbeddings(random.normal(0, 1, (400, 8)).astype(np.float32), random.integers(0, 2, 400))
    source = plain_source(noise, np.arange(400) % 5, noise.part(np.arange(0)))
    (tree,) = fit_heads([REGISTRY["decision_tree"]], source, Fitting(classes=2))
    assert tree.scores.accuracy < 0.6
    own = tree.finished(source)(noise.embedding).argmax(1) == noise.labels
    assert own.mean() > 0.8


def test_the_final_head_is_fitted_on_all_rows(source: Source, labelled: LabelledEmbeddings) -> None:
    kind = REGISTRY["nearest_neighbours"]
    best = fit_heads([kind], source, THREE)[0]
    assert best.finished(source).estimator.n_samples_fit_ == len(labelled)


def test_the_search_goes_to_where_the_loss_is_least() -> None:
    found = fit_heads([LOGISTIC], overlapping(300), THREE)
    assert 3 <= len(found) < len(LOGISTIC.settings)
    assert found[0].note == ""


def test_an_edge_is_told_where_going_on_would_help() -> None:
    source = overlapping(300)
    labels = (source.held_out.embedding[:, 0] > 0).astype(np.int64)
    found = fit_heads([LOGISTIC], replace(source, held_out=replace(source.held_out, labels=labels)), Fitting(2))
    assert found[0].note == "C = 10 is at the edge of what was tried (C = 0.0001 to C = 10)"


def test_an_edge_that_is_as_good_as_its_neighbour_is_not_told() -> None:
    noise = overlapping(60)
    noise = replace(noise, held_out=replace(noise.held_out, labels=np.random.default_rng(1).integers(0, 3, 60)))
    strongest = fit_heads([LOGISTIC], noise, THREE)[0]
    assert strongest.name == "logistic regression, C = 0.0001"
    assert strongest.note == ""


@pytest.mark.parametrize("is_balanced", [False, True], ids=["rows alike", "classes alike"])
def test_a_head_has_learnt_something_if_it_clearly_beats_the_shares_of_the_classes(is_balanced: bool) -> None:
    source, fitting = overlapping(120), replace(THREE, is_balanced=is_balanced)
    assert fit_heads([LOGISTIC], source, fitting)[0].has_learnt
    labels = np.random.default_rng(1).choice(3, 120, p=[0.8, 0.1, 0.1])
    noise = replace(source, held_out=replace(source.held_out, labels=labels))
    assert not fit_heads([LOGISTIC], noise, fitting)[0].has_learnt


def test_figures_begin_with_what_the_best_has_least_of() -> None:
    source = overlapping(60)
    found = fit_heads([TREE], source, replace(THREE, is_balanced=True))[0]
    assert found.figures == {"macro log loss": found.loss, "accuracy": found.scores.accuracy}
    assert list(fit_heads([TREE], source, THREE)[0].figures) == ["log loss", "accuracy"]


def test_a_choice_at_the_edge_is_the_choice_when_columns_are_weighed_too() -> None:
    noise = beside(overlapping(60))
    random = np.random.default_rng(1)
    rows = [{"size": size} for size in random.normal(size=60).tolist()]
    noise = replace(noise, held_out=replace(noise.held_out, labels=random.integers(0, 3, 60), rows=rows))
    found = fit_heads([LOGISTIC], noise, Fitting(3, (Column(name="size", type="number"),)))
    assert found[0].setting == "C = 0.0001"
    assert [each.is_choice for each in found] == [True] + [False] * (len(found) - 1)


def test_an_edge_that_is_told_is_the_choice_when_columns_are_weighed_too() -> None:
    source = overlapping(300)
    labels = 3 * source.held_out.embedding[:, 0].astype(np.float64)
    rows = [{"size": size} for size in np.random.default_rng(1).normal(size=300).tolist()]
    source = replace(source, held_out=replace(source.held_out, labels=labels, rows=rows))
    found = fit_heads([REGISTRY["linear_regression"]], source, Fitting(0, (Column(name="size", type="number"),)))
    assert "at the edge" in found[0].note
    assert [each.is_choice for each in found] == [True] + [False] * (len(found) - 1)


@pytest.mark.parametrize("are_numbers", [False, True], ids=["classes", "numbers"])
def test_a_fold_whose_rows_were_all_dropped_grows_trees_all_the_same(are_numbers: bool) -> None:
    source = beside(overlapping(60))
    labels = source.held_out.labels.astype(np.float64) if are_numbers else source.held_out.labels
    source = replace(source, held_out=replace(source.held_out, labels=labels), fitted=source.folds != 0)
    fitting = Fitting(0 if are_numbers else 3, (Column(name="size", type="number"),))
    best = fit_heads([REGISTRY["boosted_linear"]], source, fitting)[0]
    assert np.isfinite(best.answers).all()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The number of unique classes is greater than 50%")
def test_very_many_classes_are_searched_on_a_part_once() -> None:
    labels = np.arange(3900) % 1300
    labelled = LabelledEmbeddings(labels[:, None].astype(np.float32), labels)
    source = plain_source(labelled, np.arange(3900) // 1300, labelled.part(np.arange(0)))
    (found,) = fit_heads([TREE], source, Fitting(1300))
    assert found.is_choice


@pytest.mark.parametrize(
    ("gains", "is_clear"),
    [
        pytest.param([0.1, 0.1, 0.1, 0.1], True, id="a gain everywhere is clear"),
        pytest.param([0.9, -0.7, 0.5, -0.5], False, id="a gain below one standard error is not"),
        pytest.param([-0.1, -0.1, -0.1, -0.1], False, id="a loss is none"),
        pytest.param([], False, id="nothing held out, nothing clear"),
    ],
)
def test_a_candidate_clearly_beats_another_by_more_than_a_standard_error(
    gains: list[float], is_clear: bool, source: Source
) -> None:
    other = replace(fit_heads([TREE], source, THREE)[0], losses=np.ones(len(gains)))
    assert replace(other, losses=1 - np.array(gains)).clearly_beats(other) is is_clear


def test_where_nothing_judges_each_kind_has_one_setting(labelled: LabelledEmbeddings) -> None:
    source = plain_source(labelled.part(np.arange(0)), np.empty(0, np.int64), labelled)
    (found,) = fit_heads([LOGISTIC], source, THREE)
    assert found.name == f"logistic regression, {LOGISTIC.default_setting('classification')}"
    assert np.isnan(found.loss)
    assert found.answers.shape == (0, 3)
    assert (found.finished(source)(labelled.embedding).argmax(1) == labelled.labels).all()


@pytest.mark.parametrize("kind", ["logistic_regression", "linear_svm", "hist_gradient_boosting", "nearest_neighbours"])
def test_a_class_that_is_missing_from_a_fold_is_judged_as_wrong_and_breaks_nothing(
    kind: str, labelled: LabelledEmbeddings
) -> None:
    labels = labelled.labels.copy()
    labels[labels == 2] = 1
    labels[0] = 2
    source = plain_source(replace(labelled, labels=labels), np.arange(len(labels)) % 5, labelled.part(np.arange(0)))
    best = fit_heads([REGISTRY[kind]], source, THREE)[0]
    assert best.answers.shape == (len(labels), 3)
    assert best.answers[0].argmax() != 2
    assert best.scores.accuracy > 0.95
    assert best.finished(source)(labelled.embedding).shape == (len(labels), 3)


@pytest.mark.parametrize("kind", ["logistic_regression", "linear_svm"])
def test_a_fold_with_one_class_left_answers_that_one(kind: str, labelled: LabelledEmbeddings) -> None:
    labels = np.zeros(20, np.int64)
    labels[0] = 1
    few = LabelledEmbeddings(labelled.embedding[:20], labels)
    source = plain_source(few, np.arange(20) % 5, few.part(np.arange(0)))
    best = fit_heads([REGISTRY[kind]], source, Fitting(classes=2))[0]
    assert best.answers[0].argmax() == 0


def test_with_weights_a_rare_class_is_found_more_often() -> None:
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1], [950, 50])
    embedding = random.normal(0, 1, (1000, 4)).astype(np.float32)
    embedding[:, 0] += 1.5 * labels
    source = plain_source(
        LabelledEmbeddings(embedding, labels),
        random.permutation(1000) % 5,
        LabelledEmbeddings(embedding[:0], labels[:0]),
    )
    recalls = []
    for is_balanced in (False, True):
        best = fit_heads([LOGISTIC], source, Fitting(classes=2, is_balanced=is_balanced))[0]
        recalls.append(float((best.answers.argmax(1) == 1)[labels == 1].mean()))
    assert recalls[0] < 0.3 < 0.6 < recalls[1]


def test_a_kind_that_cannot_weigh_classes_says_so(source: Source) -> None:
    with pytest.raises(DataError, match="nearest_neighbours cannot weigh classes; take another head"):
        fit_heads([REGISTRY["nearest_neighbours"]], source, Fitting(classes=3, is_balanced=True))


def test_answers_on_other_embeddings_are_out_of_fold_too(source: Source) -> None:
    (best,) = fit_heads([BOOSTING], source, THREE)
    positions = np.array([4, 77, 100])
    np.testing.assert_array_equal(best.answer(source.held_out.part(positions), positions), best.answers[positions])


def test_numbers_are_judged_out_of_fold_in_their_own_unit() -> None:
    random = np.random.default_rng(0)
    embedding = random.normal(0, 1, (300, 5)).astype(np.float32)
    rows = LabelledEmbeddings(embedding, 400 + 100 * embedding[:, 0].astype(np.float64))
    source = plain_source(rows, np.arange(300) % 5, rows.part(np.arange(0)))
    best = fit_heads([REGISTRY["linear_regression"]], source, Fitting())[0]
    assert best.answers.shape == (300, 1)
    assert best.scores.r2 > 0.99
    assert abs(best.finished(source)(embedding).mean() - 400) < 20


def test_the_same_seed_gives_the_same_heads(source: Source) -> None:
    def once() -> list[Candidate]:
        return fit_heads([BOOSTING], source, replace(THREE, seed=5))

    assert [candidate.scores for candidate in once()] == [candidate.scores for candidate in once()]


def test_even_two_images_a_class_are_told_apart(embedder: Embedder) -> None:
    few = squares(6)
    labelled = LabelledEmbeddings(embedder(few.images), few.labels)
    source = plain_source(labelled.part(np.arange(0)), np.empty(0, np.int64), labelled)
    (head,) = fit_heads([BOOSTING], source, THREE)
    assert head.finished(source)(labelled.embedding).argmax(1).tolist() == few.labels.tolist()


def test_a_search_on_some_of_many_rows_keeps_rows_of_every_fold() -> None:
    """All but 3 rows are of one group, and so of one fold."""
    random = np.random.default_rng(0)
    embedding, beside = random.normal(0, 1, (30_000, 2)).astype(np.float32), [{"x": float(x)} for x in range(30_000)]
    rows = LabelledEmbeddings(embedding, np.arange(30_000) % 2, beside)
    folds = np.isin(np.arange(30_000), [0, 1, 3]).astype(np.int64)
    fitting = Fitting(2, (Column(name="x", type="number"),))
    found = fit_heads([LOGISTIC], plain_source(rows, folds, rows.part(np.arange(0))), fitting)
    assert found[0].is_choice
    assert found[0].answers.shape == (30_000, 2)
