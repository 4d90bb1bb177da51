"""pixels (and columns) ──embedder──▶ embedding ──head──▶ probabilities: one bundle on one device."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.bundle import Bundle
from models.golden import check_golden
from models.manifest import Manifest, Precision
from models.sessions import Embedding, Head, Probabilities, cpu_session
from models.store import resolve
from service.device import Device, Placement, place
from service.settings import Settings
from service.work import Outcome, Work

# A CPU computes larger batches no faster from some size on, for large networks from one image on, and all of a batch
# wait for its last one. So the smallest is taken that costs an image at most 5 % more than the best, its share of what
# a run costs besides included: the turn of the event loop, and that each leaves the other's caches cold (with the
# default network 0.04 ms of CPU a request less in batches of 8 than of 4).
_WORTH = 1.05
_RUN_S = 0.0002
_TRIED_S = 0.02
"""Sizes that take longer than this are not tried, and each is tried for as long, at least this many times:"""
_TRIED = 3


class Engine:
    """An embedder on its device and the default head on the CPU, checked against the golden results."""

    def __init__(self, bundle: Bundle, placement: Placement, *, max_batch: int) -> None:
        self.manifest: Manifest = bundle.manifest
        self.device: Device = placement.device
        self.precision: Precision = placement.precision
        self._embedder = placement.embedder
        spec = bundle.manifest.default_head
        self.head = Head.checked(cpu_session(bundle.head(spec), file=spec.file), spec, bundle.manifest.embedding_width)
        check_golden(bundle, self._embedder, {spec.name: self.head}, placement.precision)
        self.image_s = self._time_batch(1)
        """Seconds to embed and decide on one image alone."""
        self.max_batch = max_batch if placement.device != "cpu" else self._best_batch(max_batch)
        """Images in one run."""

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
        placement = place(
            bundle, settings.device, settings.precision, max_batch=settings.max_batch, threads=settings.threads
        )
        return cls(bundle, placement, max_batch=settings.max_batch)

    def run(self, works: Sequence[Work], waited_s: Sequence[float]) -> list[Outcome]:
        """Computes a batch; called on a lane's thread."""
        started = time.perf_counter()
        embedding = self._embed(works)
        embedded = time.perf_counter()
        probabilities = self._decide(works, embedding)
        decided = time.perf_counter()
        embed_s, decide_s = embedded - started, decided - embedded
        return [
            Outcome(row, decision, work.decode_s, waited, 0.0 if work.pixels is None else embed_s, decide_s)
            for work, row, decision, waited in zip(works, embedding, probabilities, waited_s, strict=True)
        ]

    def _embed(self, works: Sequence[Work]) -> Embedding:
        pixels = [work.pixels for work in works if work.pixels is not None]
        if len(pixels) == len(works):
            return self._embedder(pixels[0][None] if len(pixels) == 1 else np.stack(pixels))
        embedding = np.empty((len(works), self.manifest.embedding_width), np.float32)
        rows = [index for index, work in enumerate(works) if work.pixels is not None]
        if rows:
            embedding[rows] = self._embedder(np.stack(pixels))
        for index, work in enumerate(works):
            if work.embedding is not None:
                embedding[index] = work.embedding
        return embedding

    def _best_batch(self, limit: int) -> int:
        """The smallest power of two, or the limit, that is worth no more to enlarge."""
        image_s = {1: self.image_s}
        while (size := min(2 * max(image_s), limit)) not in image_s and image_s[max(image_s)] * size <= _TRIED_S:
            image_s[size] = self._time_batch(size) / size
        # again, as other workers start at the same time, and slow now this size down, now that
        image_s = {size: min(seconds, self._time_batch(size) / size) for size, seconds in image_s.items()}
        cost_s = {size: seconds + _RUN_S / size for size, seconds in image_s.items()}
        return next(size for size, seconds in cost_s.items() if seconds <= _WORTH * min(cost_s.values()))

    def _time_batch(self, size: int) -> float:
        """Seconds of the quickest of several runs."""
        spec, columns = self.manifest.input, dict.fromkeys((c.name for c in self.head.spec.columns), None)
        work = Work(np.zeros((spec.height, spec.width, spec.channels), np.uint8), columns)
        took_s: list[float] = []
        while len(took_s) < _TRIED or sum(took_s) < _TRIED_S:
            outcome = self.run([work] * size, [0.0] * size)[0]
            took_s.append(outcome.embed_s + outcome.decide_s)
        return min(took_s)

    def _decide(self, works: Sequence[Work], embedding: Embedding) -> Sequence[Probabilities | None]:
        """What the head says of each image that it is asked about.

        Raises:
            ArithmeticError: no number, of whichever image; the others have to be computed without it.
        """
        rows = [index for index, work in enumerate(works) if work.columns is not None]
        if not rows:
            return [None] * len(works)
        columns = [work.columns for work in works if work.columns is not None]
        found = self.head(embedding if len(rows) == len(works) else embedding[rows], columns)
        if not np.isfinite(found).all():
            raise ArithmeticError(f"head {self.head.spec.name!r} gave a probability that is no number")
        if len(rows) == len(works):
            return found  # type: ignore[return-value]
        decisions: list[Probabilities | None] = [None] * len(works)
        for row, probabilities in zip(rows, found, strict=True):
            decisions[row] = probabilities
        return decisions
