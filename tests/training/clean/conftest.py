"""A data set of 60 squares in which everything is planted that can be wrong, and embeddings that tell its classes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from tests.training.squares import squares
from training.clean.copies.duplicates import Copies, find_copies
from training.clean.findings.findings import Findings, inspect
from training.data.dataset import Dataset
from training.data.split import Split

TRAIN, VALIDATION, TEST = np.arange(40), np.arange(40, 50), np.arange(50, 60)
WRONG = 7
"""Row of training whose label is another one."""
LEAKED, TESTED = 3, 51
"""The same image in training and test."""
FIRST, SECOND = 12, 15
"""The same image twice in training."""
BLACK, NOISE = 20, 44
"""An image of one colour in training, and one like no other in validation."""
HOSTILE = '<script>alert("x")</script>'


@dataclass(frozen=True)
class Planted:
    """Data with what is wrong with it."""

    dataset: Dataset
    embedding: np.ndarray
    parts: Split
    copies: Copies
    findings: Findings


def embed(labels: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """A cloud for each class, float32 `[N, 16]`."""
    dice = np.random.default_rng(seed)
    centres = np.random.default_rng(1).normal(0, 4, (labels.max() + 1, 16))
    return (centres[labels] + dice.normal(0, 1, (len(labels), 16))).astype(np.float32)


@pytest.fixture(scope="session")
def planted() -> Planted:
    dataset = squares(60, size=16)
    embedding = embed(dataset.labels)
    images, labels = np.array(dataset.images), dataset.labels.copy()
    labels[WRONG] = (labels[WRONG] + 1) % 3
    for copy, original in ((LEAKED, TESTED), (SECOND, FIRST)):
        images[copy], embedding[copy] = images[original], embedding[original]
    images[BLACK] = 0
    images[NOISE] = np.random.default_rng(5).integers(0, 256, images[NOISE].shape)
    embedding[NOISE] *= 5  # far away, on the side of its class
    files = [f"{dataset.classes[label]}/{row}.png" for row, label in enumerate(labels)]
    files[WRONG] = f"{HOSTILE}.png"
    dataset = replace(dataset, images=images, labels=labels, files=tuple(files), skipped=("blue/no.png: damaged",))
    parts = Split(TRAIN, VALIDATION, TEST)
    copies = find_copies(dataset.images)
    return Planted(dataset, embedding, parts, copies, inspect(dataset, embedding, parts, copies, seed=0))
