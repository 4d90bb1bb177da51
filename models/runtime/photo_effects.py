"""a head and the photos of one instance ──▶ which photo moved the answer, and how far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from models.columns import ColumnValue
from models.pooling import PoolKind, pool
from models.runtime.explanation import PhotoEffect
from models.runtime.head_sessions import Head
from models.runtime.sessions import Embedding

_DIGITS = 6


def photo_effects(
    head: Head, photos: Embedding, kinds: Sequence[PoolKind], columns: Mapping[str, ColumnValue]
) -> list[PhotoEffect]:
    """The probability of the answer, or the value, less what it is without each photo.

    The effects do not add up: without one of two equal photos nothing changes.

    Args:
        head: that decides.
        photos: their embeddings, float32 `[P, D]`, P at least 2.
        kinds: of the bundle's pooling.
        columns: beside the photos, as the head takes them.
    """
    without = [pool(np.delete(photos, index, axis=0), kinds) for index in range(len(photos))]
    rows = np.stack([pool(photos, kinds), *without])
    outputs = head(rows, [columns] * len(rows)).astype(np.float64)
    of_answer = outputs[:, outputs[0].argmax()]
    effects = (of_answer[0] - of_answer[1:]).tolist()
    return [{"index": index, "effect": round(effect, _DIGITS)} for index, effect in enumerate(effects)]
