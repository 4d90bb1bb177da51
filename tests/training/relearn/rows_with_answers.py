"""Rows of three classes that overlap, with answers of the same kind."""

from __future__ import annotations

import numpy as np

from models.bundle.kept_rows import TEST, VALIDATION, KeptRows

CLASSES = ("a", "b", "c")
WIDTH = 4


def made_rows(old: int, answers: int, *, seed: int = 0) -> KeptRows:
    """Old rows, of which a fifth are test rows, then answers; the network has seen none."""
    random, count = np.random.default_rng(seed), old + answers
    labels = np.arange(count) % len(CLASSES)
    centres = 2 * np.eye(len(CLASSES), WIDTH)
    is_answer, is_test = np.arange(count) >= old, np.arange(count) < old // 5
    return KeptRows(
        embedding=(centres[labels] + random.normal(size=(count, WIDTH))).astype(np.float16),
        labels=labels.astype(np.int32),
        part=np.where(is_test, TEST, VALIDATION).astype(np.uint8),
        seen=np.zeros(count, bool),
        fitted=~is_test,
        unit=np.arange(count, dtype=np.int32),
        weight=np.ones(count, np.float32),
        answer=np.array([f"{number:064x}" if is_answer[number] else "" for number in range(count)], "S64"),
    )
