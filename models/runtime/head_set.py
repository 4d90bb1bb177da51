"""embeddings (and columns) ──heads──▶ `HeadOutput`: all heads of a bundle, with their outlier detectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from models.bundle.loading import Bundle
from models.pooling import ALONE, Pooling
from models.runtime.engine_types import Asked, HeadOutput
from models.runtime.head_sessions import Head, OutlierDetector, open_head, open_outlier_detectors
from models.runtime.photo_weights import open_pooling
from models.runtime.sessions import Embedding


class HeadSet:
    """The heads of one bundle, on the CPU.

    Args:
        heads: by name.
        outlier_detectors: by the names of the heads that have one.
        pooling: makes the rows that they are given.
    """

    def __init__(
        self, heads: Mapping[str, Head], outlier_detectors: Mapping[str, OutlierDetector], pooling: Pooling = ALONE
    ) -> None:
        self.heads = heads
        self.outlier_detectors = outlier_detectors
        self.pooling = pooling

    @classmethod
    def open(cls, bundle: Bundle) -> HeadSet:
        """Opens all heads of a bundle.

        Raises:
            BundleError: a graph is not what the manifest says.
        """
        heads = {spec.name: open_head(bundle, spec) for spec in bundle.manifest.heads}
        return cls(heads, open_outlier_detectors(bundle), open_pooling(bundle))

    def decide(self, embedding: Embedding, asked: Sequence[Asked]) -> list[dict[str, HeadOutput]]:
        """Each head's output for the images that ask it.

        Args:
            embedding: float32 `[N, D]`.
            asked: of each image.

        Raises:
            ArithmeticError: a head gave NaN or infinity for one of the images; compute the others without it.
        """
        decisions: list[dict[str, HeadOutput]] = [{} for _ in asked]
        distances = self._measure(embedding, asked) if self.outlier_detectors else {}
        for name, head in self.heads.items():
            rows = [row for row, each in enumerate(asked) if name in each]
            if not rows:
                continue
            columns = [asked[row][name] for row in rows]
            outputs, intervals = head.answer(embedding if len(rows) == len(asked) else embedding[rows], columns)
            if not np.isfinite(outputs).all() or (intervals is not None and not np.isfinite(intervals).all()):
                raise ArithmeticError(f"head {name!r} gave NaN or infinity")
            measured = distances.get(name)
            for at, row in enumerate(rows):
                distance = None if measured is None else measured[row]
                interval = None if intervals is None else intervals[at]
                decisions[row][name] = HeadOutput(outputs[at], columns[at], distance, interval)
        return decisions

    def _measure(self, embedding: Embedding, asked: Sequence[Asked]) -> dict[str, list[float]]:
        """Distances from training by the names of the heads that are asked; a shared detector runs once."""
        measured: dict[OutlierDetector, list[float]] = {}
        distances: dict[str, list[float]] = {}
        for name, detector in self.outlier_detectors.items():
            if any(name in each for each in asked):
                if detector not in measured:
                    measured[detector] = detector(embedding).tolist()
                distances[name] = measured[detector]
        return distances
