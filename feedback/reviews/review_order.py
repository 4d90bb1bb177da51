"""Decisions that wait ──▶ the order in which to look at them: audits, then the others by what an answer is worth."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from feedback.measures.measurements import REVIEW_ORDER, measured_series
from feedback.statistics.acquisition import rank

RANDOM = "random"

Row = dict[str, Any]


def is_random_better(connection: Connection, bundle: str) -> bool:
    """Whether the last simulation found random choice better than the queue's order."""
    found = measured_series(connection, bundle, REVIEW_ORDER, 1)
    return bool(found) and found[0].document["strategy"] == RANDOM


def in_order(rows: Sequence[Row], count: int, answered: Sequence[bytes], *, at_random: bool) -> list[Row]:
    """Puts decisions in order.

    Args:
        rows: of the table `decision`, newest first.
        count: how many are wanted.
        answered: embeddings of answered decisions, float16 `[D]` each: what is like them waits.
        at_random: whether the others come in random order.
    """
    audits = [row for row in rows if row["audit"]][::-1]
    others = [row for row in rows if not row["audit"]]
    missing = count - len(audits)
    if missing <= 0 or not others:
        return audits[:count]
    if at_random:
        return audits + random.sample(others, min(missing, len(others)))
    return audits + [others[index] for index in _ranked(others, missing, answered)]


def _ranked(rows: Sequence[Row], count: int, answered: Sequence[bytes]) -> list[int]:
    """Positions of the best to ask. Rows of another embedder than the newest one's have no place to compare: last."""
    width = len(rows[0]["embedding"] or b"")
    alike = [index for index, row in enumerate(rows) if len(row["embedding"] or b"") == width]
    others = [index for index in range(len(rows)) if index not in set(alike)]
    if not width:
        return list(range(len(rows)))[:count]
    chosen = rank(
        _embeddings([rows[index]["embedding"] for index in alike], width),
        uncertainty=np.array([_uncertainty(rows[index]) for index in alike]),
        count=count,
        answered=_embeddings([blob for blob in answered if len(blob) == width], width),
    )
    return ([alike[index] for index in chosen] + others)[:count]


def _uncertainty(row: Row) -> float:
    """From 0 to 1: what is left of the confidence; 1 for a number, and for an image unlike those of training."""
    confidence = row["confidence"]
    return 1.0 if confidence is None or "unfamiliar" in row["reasons"] else 1.0 - confidence


def _embeddings(blobs: Sequence[bytes], width: int) -> NDArray[np.float32]:
    """Float32 `[N, D]` of N blobs of `width` bytes."""
    return np.frombuffer(b"".join(blobs), "<f2").reshape(len(blobs), width // 2).astype(np.float32)
