"""Made-up data in which the columns, the image, both or nothing decide; the image is an embedding of 16 numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.bundle.input_spec import InputSpec
from models.columns import Column
from models.runtime.embedding_files import EmbeddingCache
from training.data.dataset import Dataset
from training.data.split import Split
from training.heads.sources import make_sources
from training.stages.training_data import TrainingData

World = Literal["columns", "image", "both", "nothing"]
WIDTH = 16
NOISE = 0.3
"""Deviation of the noise in numbers; that of what decides is 1."""
COLUMNS = (Column(name="weight", type="number"), Column(name="shape", type="category", categories=("flat", "round")))
SPEC = InputSpec(height=1, width=1, channels=1)


def training_data(
    world: World, rows: int, folder: Path, *, tested: int = 1000, classes: int = 0, seed: int = 0
) -> TrainingData:
    """Rows to fit on and others to test with; numbers around 100, or classes by the size of the number."""
    random = np.random.default_rng(seed)
    count = rows + tested
    embedding = (random.normal(size=(count, WIDTH)) * np.exp(-np.arange(WIDTH) / 8)).astype(np.float32)
    weight, is_round = random.normal(size=count), random.random(count) < 0.5
    signal = _signal(world, embedding.astype(np.float64), weight, is_round)
    numbers = 100 + 10 * (signal + (NOISE if world != "nothing" else 1.0) * random.normal(size=count))
    ranks = np.argsort(np.argsort(numbers)) * classes // count
    dataset = Dataset(
        "made up",
        np.zeros((count, 1, 1, 1), np.uint8),
        ranks.astype(np.int64) if classes else numbers,
        tuple("abcdefgh"[:classes]),
        SPEC,
        columns=COLUMNS,
        rows=[
            {"weight": value, "shape": "round" if shape else "flat"}
            for value, shape in zip(weight.tolist(), is_round.tolist(), strict=True)
        ],
    )
    known = np.arange(rows)
    sources = make_sources(dataset, embedding, known, {}, seed=seed)
    parts = Split(known, known[:0], np.arange(rows, count))
    return TrainingData(dataset, parts, embedding, known, sources, EmbeddingCache(folder, b"", SPEC))


def _signal(
    world: World, embedding: NDArray[np.float64], weight: NDArray[np.float64], is_round: NDArray[np.bool_]
) -> NDArray[np.float64]:
    beside, shown = np.where(is_round, np.abs(weight), -weight), embedding[:, 0] + embedding[:, 1]
    found = {"columns": beside, "image": shown, "both": beside * (embedding[:, 0] > 0) + shown, "nothing": 0 * weight}
    signal = found[world]
    return np.asarray(signal / (signal.std() or 1.0))
