"""photos of one thing: how much each weighs where a bundle pools them, and how far it moved an answer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from models.bundle.loading import Bundle
from models.bundle.manifest import SEQUENCE
from models.columns import ColumnValue
from models.pooling import Pooling
from models.runtime.explanation import PhotoEffect
from models.runtime.head_sessions import Head
from models.runtime.sessions import Embedding, ScalarGraph, cpu_session

_DIGITS = 6


class PhotoWeigher(ScalarGraph):
    """embedding float32 `[P, D]` ──▶ logarithms of the photos' weights, float32 `[P]`."""

    output = "weight"


def open_pooling(bundle: Bundle) -> Pooling:
    """Opens a bundle's pooling; it has no kinds if the bundle decides on one image.

    Raises:
        BundleError: the graph that weighs photos is not what the manifest says.
    """
    kinds = bundle.manifest.pooling
    if "attention" not in kinds:
        return Pooling(kinds)
    session = cpu_session(bundle.files[SEQUENCE], file=SEQUENCE)
    return Pooling(kinds, PhotoWeigher.checked(session, SEQUENCE, bundle.manifest.embedding_width))


def photo_effects(
    head: Head, photos: Embedding, pooling: Pooling, columns: Mapping[str, ColumnValue]
) -> list[PhotoEffect]:
    """The probability of the answer, or the value, less what it is without each photo.

    The effects do not add up: without one of two equal photos nothing changes.

    Args:
        head: that decides.
        photos: their embeddings, float32 `[P, D]`, P at least 2.
        pooling: of the bundle.
        columns: beside the photos, as the head takes them.
    """
    without = [pooling.row(np.delete(photos, index, axis=0)) for index in range(len(photos))]
    rows = np.stack([pooling.row(photos), *without])
    outputs = head(rows, [columns] * len(rows)).astype(np.float64)
    of_answer = outputs[:, outputs[0].argmax()]
    effects = (of_answer[0] - of_answer[1:]).tolist()
    return [{"index": index, "effect": round(effect, _DIGITS)} for index, effect in enumerate(effects)]
