"""`training.workflows.tuning_trial`: when a tuned network takes the place of the frozen one."""

from __future__ import annotations

import numpy as np
import pytest

from models.bundle.input_spec import InputSpec
from training.data.dataset import Dataset
from training.data.images import Indices
from training.data.split import split
from training.heads.labelled_embeddings import embeddings_of
from training.heads.sources import make_sources
from training.stages.head_plan import HeadPlan
from training.stages.model_selection import Selection, select_head
from training.stages.training_data import TrainingData
from training.workflows.tuning_trial import LEVEL, try_tuned

ROWS = 500
PLAN = HeadPlan("logistic_regression", examples=0, keep_rows_mib=0)


def selected(signal: float, seed: int, seen: Indices, *, are_numbers: bool = False) -> tuple[TrainingData, Selection]:
    """A head on embeddings that tell the labels as well as `signal` says; the network has seen some of the rows."""
    labels = np.random.default_rng(seed).integers(0, 2, ROWS)
    embedding = np.random.default_rng(seed + 1000).standard_normal((ROWS, 4)).astype(np.float32)
    embedding[:, 0] += signal * labels
    classes = () if are_numbers else ("a", "b")
    numbers = labels + np.random.default_rng(seed + 1).normal(0, 0.1, ROWS)
    spec = InputSpec(height=1, width=1, channels=1)
    images = np.zeros((ROWS, 1, 1, 1), np.uint8)
    dataset = Dataset("views", images, numbers if are_numbers else labels, classes, spec)
    parts = split(dataset, 0)
    rows = {"training images": embeddings_of(dataset, embedding, seen)} if len(seen) else {}
    held_out = np.setdiff1d(parts.known, seen)
    sources = make_sources(dataset, embedding, held_out, rows, seed=0)
    data = TrainingData(dataset, parts, embedding, held_out, sources, cache=None)  # type: ignore[arg-type]
    return data, select_head(data, PLAN if classes else HeadPlan("linear_regression", examples=0, keep_rows_mib=0))


SEEN = np.arange(0, ROWS, 2)
NONE = SEEN[:0]


@pytest.mark.parametrize("are_numbers", [False, True])
def test_a_clearly_better_network_is_better_and_a_worse_one_is_not(are_numbers: bool) -> None:
    frozen, better, worse = (
        selected(signal, 0, seen, are_numbers=are_numbers) for signal, seen in ((1, NONE), (3, SEEN), (0.2, SEEN))
    )
    found = try_tuned(frozen, better, is_balanced=False)
    assert found.is_better
    assert found.tuned < found.frozen
    assert found.images == len(better[0].held_out)
    assert "the tuned network is better than the frozen one" in found.sentence
    other = try_tuned(frozen, worse, is_balanced=False)
    assert not other.is_better
    assert "is not shown to be better" in other.sentence


def test_an_equal_network_is_hardly_ever_taken_for_better() -> None:
    trials = [
        try_tuned(selected(1, seed, NONE), selected(1, seed, SEEN), is_balanced=False).is_better for seed in range(20)
    ]
    print(f"equal networks called better: {np.mean(trials):.2f} of 20")
    assert np.mean(trials) <= 2 * LEVEL
