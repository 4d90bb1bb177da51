"""pixels (and columns) ──embedder──▶ embedding ──head──▶ probabilities: one bundle on one device."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle
from models.golden import check_golden
from models.manifest import ColumnValue, Manifest, Precision
from models.sessions import Embedding, Head, Probabilities, cpu_session
from models.store import resolve
from service.device import Device, Placement, place
from service.settings import Settings

_TIMING_RUNS = 10


@dataclass(frozen=True, slots=True)
class Work:
    """One image to embed, and to decide on unless only its embedding is wanted."""

    pixels: NDArray[np.uint8]
    """`[H, W, C]`"""
    columns: Mapping[str, ColumnValue] | None
    """Checked columns; None where no decision is wanted."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the engine found for one image; times in seconds."""

    embedding: Embedding
    """`[D]`"""
    probabilities: Probabilities | None
    """`[K]`, None where no decision was wanted."""
    queue_s: float
    embed_s: float
    decide_s: float


class Engine:
    """An embedder on its device and the default head on the CPU, checked against the golden results."""

    def __init__(self, bundle: Bundle, placement: Placement, *, max_batch: int) -> None:
        self.manifest: Manifest = bundle.manifest
        self.device: Device = placement.device
        self.precision: Precision = placement.precision
        self.max_batch = max_batch
        self._embedder = placement.embedder
        spec = bundle.manifest.default_head
        self.head = Head.checked(cpu_session(bundle.head(spec), file=spec.file), spec, bundle.manifest.embedding_width)
        check_golden(bundle, self._embedder, {spec.name: self.head}, placement.precision)
        self.image_s = self._time_image()
        """Seconds to embed and decide on one image alone."""

    @classmethod
    def load(cls, settings: Settings, path: Path | None = None) -> Engine:
        """Opens a bundle on the device that the settings name.

        Args:
            settings: device, precision, batch size.
            path: one version's directory; by default the one that the settings' bundle resolves to.

        Raises:
            BundleError, StoreError: the bundle is damaged, missing or computes something else.
            DeviceError: device or precision cannot be had.
        """
        bundle = Bundle.open(path or resolve(settings.bundle))
        placement = place(bundle, settings.device, settings.precision, max_batch=settings.max_batch)
        return cls(bundle, placement, max_batch=settings.max_batch)

    def run(self, works: Sequence[Work], waited_s: Sequence[float]) -> list[Outcome]:
        """Computes a batch; called on a lane's thread."""
        started = time.perf_counter()
        pixels = works[0].pixels[None] if len(works) == 1 else np.stack([work.pixels for work in works])
        embedding = self._embedder(pixels)
        embedded = time.perf_counter()
        probabilities = self._decide(works, embedding)
        decided = time.perf_counter()
        return [
            Outcome(row, decision, waited, embedded - started, decided - embedded)
            for row, decision, waited in zip(embedding, probabilities, waited_s, strict=True)
        ]

    def _time_image(self) -> float:
        spec, columns = self.manifest.input, dict.fromkeys((c.name for c in self.head.spec.columns), None)
        work = Work(np.zeros((spec.height, spec.width, spec.channels), np.uint8), columns)
        outcomes = [self.run([work], [0.0])[0] for _ in range(_TIMING_RUNS)]
        return min(outcome.embed_s + outcome.decide_s for outcome in outcomes)

    def _decide(self, works: Sequence[Work], embedding: Embedding) -> Sequence[Probabilities | None]:
        rows = [index for index, work in enumerate(works) if work.columns is not None]
        if len(rows) == len(works):
            return self.head(embedding, [work.columns for work in works if work.columns is not None])  # type: ignore[return-value]
        decisions: list[Probabilities | None] = [None] * len(works)
        if rows:
            columns = [work.columns for work in works if work.columns is not None]
            for row, probabilities in zip(rows, self.head(embedding[rows], columns), strict=True):
                decisions[row] = probabilities
        return decisions
