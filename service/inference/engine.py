"""pixels (and columns) ──embedder──▶ embedding ──head──▶ probabilities: one bundle on one device."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from models.bundle.golden import check_golden
from models.runtime.head_sessions import open_head, open_outlier_detector
from models.bundle.loading import Bundle
from models.bundle.head_spec import HeadSpec
from models.bundle.manifest import Manifest, Precision
from models.bundle.store import resolve
from models.columns import ColumnValue
from models.devices.placement import Device, Placement, place
from models.runtime.sessions import Embedding
from models.runtime.head_sessions import Head, OutlierDetector
from models.runtime.explanation import Explainer
from models.runtime.engine_types import EngineInput, HeadOutput, Result
from service.settings import Settings

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
    """An embedder on its device and the heads on the CPU, checked against the golden results."""

    def __init__(self, bundle: Bundle, placement: Placement, *, max_batch: int) -> None:
        self.manifest: Manifest = bundle.manifest
        self.device: Device = placement.device
        self.precision: Precision = placement.precision
        self._embedder = placement.embedder
        self.heads = {spec.name: open_head(bundle, spec) for spec in bundle.manifest.heads}
        self._novelties = _open_novelties(bundle)
        check_golden(bundle, self._embedder, self.heads, self._novelties, placement.precision)
        self.explainers = _open_explainers(bundle, self.heads)
        """Those of the heads whose answers can be explained."""
        self.default: tuple[HeadSpec, ...] = (bundle.manifest.default_head,)
        """The heads that decide where a request names none."""
        self.image_s = self._time_batch(1)
        """Seconds to embed and decide on one image alone."""
        self.explain_s = self._time_explaining()
        """Seconds to explain the answers of all heads on one image."""
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

    def run(self, works: Sequence[EngineInput], waited_s: Sequence[float]) -> list[Result]:
        """Computes a batch; called on a lane's thread."""
        started = time.perf_counter()
        embedding = self._embed(works)
        embedded = time.perf_counter()
        decisions = self._decide(works, embedding)
        decided = time.perf_counter()
        embed_s, decide_s = embedded - started, decided - embedded
        return [
            Result(row, decided, work.decode_s, waited, 0.0 if work.pixels is None else embed_s, decide_s)
            for work, row, decided, waited in zip(works, embedding, decisions, waited_s, strict=True)
        ]

    def _embed(self, works: Sequence[EngineInput]) -> Embedding:
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
        """Seconds of the quickest of several runs, the default head deciding."""
        spec, head = self.manifest.input, self.manifest.default_head
        asked = {head.name: _none_of(head)}
        work = EngineInput(np.zeros((spec.height, spec.width, spec.channels), np.uint8), asked)
        took_s: list[float] = []
        while len(took_s) < _TRIED or sum(took_s) < _TRIED_S:
            outcome = self.run([work] * size, [0.0] * size)[0]
            took_s.append(outcome.embed_s + outcome.decide_s)
        return min(took_s)

    def _decide(self, works: Sequence[EngineInput], embedding: Embedding) -> list[dict[str, HeadOutput]]:
        """What each head says of the images that ask it.

        Raises:
            ArithmeticError: no number, of whichever image; the others have to be computed without it.
        """
        decisions: list[dict[str, HeadOutput]] = [{} for _ in works]
        distances = self._measure(works, embedding) if self._novelties else {}
        for name, head in self.heads.items():
            rows = [row for row, work in enumerate(works) if name in work.asked]
            if rows:
                part = embedding if len(rows) == len(works) else embedding[rows]
                columns = [works[row].asked[name] for row in rows]
                outputs, bounds = head.answer(part, columns)
                if not np.isfinite(outputs).all() or (bounds is not None and not np.isfinite(bounds).all()):
                    raise ArithmeticError(f"head {name!r} gave what is no number")
                far = distances.get(name)
                for at, (row, output, given) in enumerate(zip(rows, outputs, columns, strict=True)):
                    distance, bound = None if far is None else far[row], None if bounds is None else bounds[at]
                    decisions[row][name] = HeadOutput(output, given, distance, bound)
        return decisions

    def _measure(self, works: Sequence[EngineInput], embedding: Embedding) -> dict[str, list[float]]:
        """How far each image is from training, by the heads that are asked; once for heads of the same data."""
        measured: dict[OutlierDetector, list[float]] = {}
        distances: dict[str, list[float]] = {}
        for name, novelty in self._novelties.items():
            if any(name in work.asked for work in works):
                if novelty not in measured:
                    measured[novelty] = novelty(embedding).tolist()
                distances[name] = measured[novelty]
        return distances

    def explain(self, outcome: Result, heads: Sequence[HeadSpec]) -> Result:
        """An outcome with the reasons of its decisions, of heads that all have an explainer."""
        explanations = {
            head.name: self.explainers[head.name](outcome.embedding, outcome.decisions[head.name].columns)
            for head in heads
        }
        return outcome._replace(explanations=explanations)

    def _time_explaining(self) -> float:
        """The quicker of two runs."""
        took_s = [0.0] if not self.explainers else []
        embedding = np.zeros(self.manifest.embedding_width, np.float32)
        while len(took_s) < 2 and self.explainers:
            started = time.perf_counter()
            for name, explainer in self.explainers.items():
                explainer(embedding, _none_of(self.heads[name].spec))
            took_s.append(time.perf_counter() - started)
        return min(took_s)


def _none_of(head: HeadSpec) -> dict[str, ColumnValue]:
    return dict.fromkeys((column.name for column in head.columns), None)


def _open_novelties(bundle: Bundle) -> dict[str, OutlierDetector]:
    """What tells the unfamiliar, by the heads' names; heads of the same data share one session."""
    opened: dict[bytes, OutlierDetector | None] = {}
    for spec in bundle.manifest.heads:
        if (graph := bundle.novelty(spec)) is not None and graph not in opened:
            opened[graph] = open_outlier_detector(bundle, spec)
    by_head = {spec.name: opened.get(bundle.novelty(spec) or b"") for spec in bundle.manifest.heads}
    return {name: novelty for name, novelty in by_head.items() if novelty is not None}


def _open_explainers(bundle: Bundle, heads: Mapping[str, Head]) -> dict[str, Explainer]:
    examples = {name: bundle.examples(head.spec) for name, head in heads.items()}
    return {name: Explainer(heads[name], found) for name, found in examples.items() if found is not None}
