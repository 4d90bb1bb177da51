"""Rows of tiny data, measured for real."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pytest

from models.columns import Column
from tests.training.squares import TINY, squares
from training.compare.compared_models import ComparedModel, compared_models, find
from training.compare.model_measures import ModelMeasures
from training.compare.network_trainer import Trained, Trainer
from training.compare.report.comparison_rows import Family, Row
from training.compare.report.nested_samples import Sample, draw
from training.compare.time_limit import Ended, Worker
from training.data.dataset import Dataset
from training.heads.registry import REGISTRY

EPOCH_SECONDS = 108.0
"""What an epoch is told to take: far more than it does, so that no test depends on how fast the machine is."""
KINDS = ("logistic_regression", "decision_tree", "svm", "linear_svm")
LIMIT = 600.0  # seconds: more than anything here takes


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Squares beside a column that tells the class, and one that is often missing and tells nothing."""
    plain = squares(150)
    columns = (
        Column(name="hint", type="number", low=-9.0, high=9.0),
        Column(name="noise", type="boolean", required=False),
    )
    generator = np.random.default_rng(0)
    rows: list[Mapping[str, object]] = [
        {"hint": float(label + generator.normal(0, 0.1)), "noise": [True, False, None][int(generator.integers(3))]}
        for label in plain.labels
    ]
    return replace(plain, columns=columns, rows=rows)


@pytest.fixture(scope="module")
def sample(data: Dataset) -> Sample:
    return draw(data, [None], 0)[0][0]


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as made:
        yield made


@pytest.fixture(scope="module")
def bench(data: Dataset, sample: Sample, worker: Worker) -> ModelMeasures:
    made = ModelMeasures(data, 0, worker, slow_trainer(data))
    assert isinstance(made.train(sample, 20 * EPOCH_SECONDS, limit=LIMIT), Trained)
    return made


def slow_trainer(data: Dataset) -> Trainer:
    return Trainer(data, 0, hyperparameters=TINY, image_seconds={8: 1.0})


def check(row: Row, sample: Sample) -> None:
    hits = row.hits(len(sample.parts.test))
    assert hits.shape[0] == 1
    assert row.accuracy == pytest.approx(hits.mean())
    assert row.low < row.accuracy <= row.high
    assert row.size == sample.size
    assert row.log_loss >= 0
    assert 0 <= row.ece <= 1
    assert row.fit_seconds > 0
    assert row.predict_us > 0
    assert row.size_bytes > 100


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(each, marks=[pytest.mark.slow] if each.family is Family.PRETRAINED else [])
        for each in compared_models(has_columns=True)
        if not each.needs_network
    ]
    + [ComparedModel(family, REGISTRY[kind]) for family in (Family.HYBRID, Family.HYBRID_COLUMNS) for kind in KINDS]
    + [ComparedModel(Family.NETWORK)],
    ids=lambda each: each.name,
)
def test_each_row_has_all_figures(bench: ModelMeasures, sample: Sample, model: ComparedModel) -> None:
    row, cost = bench.measure(sample, model, limit=LIMIT)
    check(row, sample)
    assert cost.rows > 0
    if model.family in (Family.COLUMNS, Family.PIXELS, Family.HYBRID_COLUMNS):
        assert row.accuracy > 0.8  # brightness and hint tell the class; gradients do not see it


def test_a_hybrid_contains_its_network(bench: ModelMeasures, sample: Sample) -> None:
    network, _ = bench.measure(sample, ComparedModel(Family.NETWORK), limit=LIMIT)
    hybrid, _ = bench.measure(sample, ComparedModel(Family.HYBRID, REGISTRY["decision_tree"]), limit=LIMIT)
    assert hybrid.fit_seconds > network.fit_seconds * 0.9
    assert hybrid.size_bytes > network.size_bytes - 1000


def test_a_pilot_tells_what_a_few_rows_cost(bench: ModelMeasures, sample: Sample) -> None:
    cost = bench.pilot(sample, ComparedModel(Family.PIXELS, REGISTRY["decision_tree"]), limit=LIMIT)
    assert 0 < cost.rows <= len(sample.parts.train)
    assert cost.fit > 0


def test_a_network_is_fitted_for_as_many_epochs_as_the_time_allows(data: Dataset, sample: Sample) -> None:
    trained = slow_trainer(data)(sample, 2.5 * EPOCH_SECONDS)
    assert isinstance(trained, Trained)
    assert (trained.note.epochs, trained.note.planned, trained.note.images) == (2, 2, 108)
    assert len(trained.train) == 8 * 108  # few images: several variants of each
    np.testing.assert_allclose(trained.softmax(trained.test.embedding).sum(1), 1, atol=1e-5)


def test_a_network_that_turns_out_slow_ends_early_and_is_of_use(data: Dataset, sample: Sample) -> None:
    trained = Trainer(data, 0, hyperparameters=TINY, image_seconds={8: 1e-9})(sample, 1e-4)
    assert isinstance(trained, Trained)
    assert trained.note.epochs == 1 < trained.note.planned
    assert trained.note.told.startswith("1 of ")


def test_the_next_network_knows_how_long_an_image_takes(data: Dataset, sample: Sample) -> None:
    trainer = slow_trainer(data)
    trainer(sample, 2.5 * EPOCH_SECONDS)
    assert 0 < trainer.image_seconds[8] < 1


def test_without_knowing_how_long_an_image_takes_it_is_measured_first(data: Dataset, sample: Sample) -> None:
    trainer = Trainer(data, 0, hyperparameters=TINY)
    found = trainer(sample, 0.0)
    assert 0 < trainer.image_seconds[8] < 1
    assert isinstance(found, str)
    assert "one epoch of the network takes about" in found


def test_a_fit_that_takes_longer_than_its_limit_is_ended_and_the_next_one_is_not(
    bench: ModelMeasures, sample: Sample, worker: Worker
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2000, 32, 32, 3), dtype=np.uint8)
    many = replace(squares(2000), images=noise, labels=np.arange(2000) % 20, classes=tuple(map(str, range(20))))
    slow = ModelMeasures(many, 0, worker)
    boosting = next(each for each in compared_models(has_columns=False) if each.name == "gradient boosting on pixels")
    started = time.monotonic()
    with pytest.raises(Ended, match=r"ended after [34] s, the budget was spent"):
        slow.measure(draw(many, [None], 0)[0][0], boosting, limit=3)
    assert time.monotonic() - started < 5
    bench.measure(sample, ComparedModel(Family.HYBRID, REGISTRY["decision_tree"]), limit=LIMIT)


def test_features_that_take_longer_than_their_limit_are_ended(worker: Worker) -> None:
    many = squares(2000, size=32)
    hog = next(each for each in compared_models(has_columns=False) if each.family == Family.HOG)
    with pytest.raises(Ended, match="making features"):
        ModelMeasures(many, 0, worker).measure(draw(many, [None], 0)[0][0], hog, limit=0.01)


def test_another_turn_is_another_seed_of_the_same_model(bench: ModelMeasures, sample: Sample) -> None:
    count = len(sample.parts.test)
    forest = ComparedModel(Family.HOG, REGISTRY["random_forest"])
    first, again, other = (bench.measure(sample, forest, limit=LIMIT, turn=turn)[0] for turn in (0, 0, 1))
    assert first.right == again.right != other.right
    joined = first.and_another(other, count)
    assert joined.hits(count).shape == (2, count)
    assert joined.accuracy == pytest.approx((first.accuracy + other.accuracy) / 2)


def test_a_class_of_which_there_is_only_a_test_image_is_never_answered(worker: Worker, data: Dataset) -> None:
    labels = np.concatenate([data.labels[:120], [2] * 30])
    labels[:120][labels[:120] == 2] = 0
    strange = replace(data, labels=labels, official_test=np.arange(100, 150))
    (alone,), _ = draw(strange, [None], 0)
    bench = ModelMeasures(strange, 0, worker, slow_trainer(strange))
    assert isinstance(bench.train(alone, EPOCH_SECONDS * 3, limit=LIMIT), Trained)
    for family, kind in ((Family.PIXELS, "xgboost"), (Family.HYBRID_COLUMNS, "linear_svm"), (Family.NETWORK, None)):
        row, _ = bench.measure(alone, find(family, kind), limit=LIMIT)
        assert not row.hits(50)[0, 20:].any()
        assert 0 < row.accuracy <= 0.4
        assert row.log_loss > 1


def test_without_held_out_images_the_first_setting_is_taken_as_it_is(bench: ModelMeasures, sample: Sample) -> None:
    bare = replace(sample, parts=replace(sample.parts, validation=np.empty(0, np.int64)))
    for kind in ("svm", "logistic_regression"):
        row, _ = bench.measure(bare, find(Family.PIXELS, kind), limit=LIMIT)
        assert row.accuracy > 0.8
        assert 0 <= row.log_loss < 2
