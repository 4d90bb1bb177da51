"""Rows of tiny data, measured for real."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from models.columns import Column
from tests.training.squares import TINY, squares
from training.catalogue import CATALOGUE
from training.compare.bench import Bench
from training.compare.contenders import Contender, contenders
from training.compare.network import Trained, Trainer
from training.compare.rows import Family, Row
from training.compare.samples import Sample, draw
from training.dataset import Dataset

EPOCH_SECONDS = 108.0
"""What an epoch is told to take: far more than it does, so that no test depends on how fast the machine is."""
KINDS = ("logistic_regression", "decision_tree", "svm")


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
def bench(data: Dataset, sample: Sample) -> Bench:
    made = Bench(data, 0, slow_trainer(data))
    assert isinstance(made.train(sample, 20 * EPOCH_SECONDS), Trained)
    return made


def slow_trainer(data: Dataset) -> Trainer:
    return Trainer(data, 0, recipe=TINY, image_seconds={8: 1.0})


def check(row: Row, sample: Sample) -> None:
    hits = row.hits(len(sample.parts.test))
    assert row.accuracy == pytest.approx(hits.mean())
    assert row.size == sample.size
    assert row.log_loss >= 0
    assert row.fit_seconds > 0
    assert row.predict_us > 0
    assert row.size_bytes > 100


@pytest.mark.parametrize(
    "contender",
    [each for each in contenders(has_columns=True) if not each.needs_network]
    + [Contender(family, CATALOGUE[kind]) for family in (Family.HYBRID, Family.HYBRID_COLUMNS) for kind in KINDS]
    + [Contender(Family.NETWORK)],
    ids=lambda each: each.name,
)
def test_each_row_has_all_figures(bench: Bench, sample: Sample, contender: Contender) -> None:
    row, cost = bench.measure(sample, contender)
    check(row, sample)
    assert cost.rows > 0
    if contender.family in (Family.COLUMNS, Family.PIXELS, Family.HYBRID_COLUMNS):
        assert row.accuracy > 0.8  # brightness and hint tell the class; gradients do not see it


def test_a_hybrid_contains_its_network(bench: Bench, sample: Sample) -> None:
    network, _ = bench.measure(sample, Contender(Family.NETWORK))
    hybrid, _ = bench.measure(sample, Contender(Family.HYBRID, CATALOGUE["decision_tree"]))
    assert hybrid.fit_seconds > network.fit_seconds * 0.9
    assert hybrid.size_bytes > network.size_bytes - 1000


def test_a_pilot_tells_what_a_few_rows_cost(bench: Bench, sample: Sample) -> None:
    cost = bench.pilot(sample, Contender(Family.PIXELS, CATALOGUE["decision_tree"]))
    assert 0 < cost.rows <= len(sample.parts.train)
    assert cost.fit > 0


def test_a_network_is_fitted_for_as_many_epochs_as_the_time_allows(data: Dataset, sample: Sample) -> None:
    trained = slow_trainer(data)(sample, 2.5 * EPOCH_SECONDS)
    assert isinstance(trained, Trained)
    assert (trained.note.epochs, trained.note.planned, trained.note.images) == (2, 2, 108)
    assert len(trained.lesson) == 8 * 108  # few images: several variants of each
    np.testing.assert_allclose(trained.softmax(trained.test.embedding).sum(1), 1, atol=1e-5)


def test_a_network_that_turns_out_slow_ends_early_and_is_of_use(data: Dataset, sample: Sample) -> None:
    trained = Trainer(data, 0, recipe=TINY, image_seconds={8: 1e-9})(sample, 1e-4)
    assert isinstance(trained, Trained)
    assert trained.note.epochs == 1 < trained.note.planned
    assert trained.note.told.startswith("1 of ")


def test_the_next_network_knows_how_long_an_image_takes(data: Dataset, sample: Sample) -> None:
    trainer = slow_trainer(data)
    trainer(sample, 2.5 * EPOCH_SECONDS)
    assert 0 < trainer.image_seconds[8] < 1


def test_without_knowing_how_long_an_image_takes_it_is_measured_first(data: Dataset, sample: Sample) -> None:
    trainer = Trainer(data, 0, recipe=TINY)
    found = trainer(sample, 0.0)
    assert 0 < trainer.image_seconds[8] < 1
    assert isinstance(found, str)
    assert "one epoch of the network takes about" in found
