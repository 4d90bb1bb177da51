"""a sample and a contender ──▶ its row: fitted, calibrated, exported, tested, and timed one image at a time.

Whatever a contender is, the same is done with it: it is fitted on the sample's images, calibrated on those held out,
exported to ONNX, and what is tested, timed and weighed is those graphs. Only features made by hand have none.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from models.columns import Column
from models.manifest import HeadSpec
from models.sessions import Embedder, Head, Probabilities, cpu_session
from training.calibration import calibrate
from training.catalogue import Size
from training.compare.budget import Cost
from training.compare.contenders import Contender
from training.compare.features import Extract, Store, gradients, nothing, raw_pixels
from training.compare.network import Trained, Trainer
from training.compare.rows import Family, Row, pack
from training.compare.samples import Sample
from training.dataset import Dataset
from training.export import export_head
from training.heads import Candidate, Lesson, fit_classifiers
from training.images import Indices
from training.metrics import score

Alone = Callable[[NDArray[np.uint8], Sequence[Mapping[str, Any]]], Probabilities]
"""What answers one image `[1, H, W, C]` and its columns."""

_EXPORT_SAMPLE = 32
_TEST_BATCH = 500
_PILOT_ROWS = 500
_WARM_UP, _TIMINGS, _TIMING_SECONDS = 3, 60, 1.0
_EXTRACT: Mapping[Family, Extract] = {Family.COLUMNS: nothing, Family.PIXELS: raw_pixels, Family.HOG: gradients}
_WITH_COLUMNS = (Family.COLUMNS, Family.HYBRID_COLUMNS)


@dataclass(frozen=True)
class _Task:
    """A head to be fitted, and what stands before it.

    Attributes:
        before: seconds that its features or its network took.
        extract: makes features of one image, on one thread.
        extra_bytes: of whatever makes them.
    """

    lesson: Lesson
    judge: Lesson
    test: Lesson
    columns: tuple[Column, ...]
    before: float
    extract: Callable[[NDArray[np.uint8]], NDArray[np.float32]]
    extra_bytes: int = 0


class Bench:
    """Measures on one data set; features and the network of the last size are kept for the next row."""

    def __init__(self, dataset: Dataset, seed: int, trainer: Trainer | None = None) -> None:
        self.dataset = dataset
        self.seed = seed
        self._trainer = trainer or Trainer(dataset, seed)
        self._stores = {family: Store(dataset.images, extract) for family, extract in _EXTRACT.items()}
        self._trained: Trained | None = None

    def train(self, sample: Sample, seconds: float) -> Trained | str:
        """Fits the network of a size, and keeps it; or says why that cannot be."""
        self._trained = None  # the embeddings of the last size
        found = self._trainer(sample, seconds)
        if isinstance(found, Trained):
            self._trained = found
        return found

    def pilot(self, sample: Sample, contender: Contender) -> Cost:
        """What a classical model costs on a few images, to tell what it will cost on many."""
        assert contender.kind is not None, "the network has a pilot of its own"
        positions = sample.parts.train[:: max(1, len(sample.parts.train) // _PILOT_ROWS)]
        lesson = self._lesson(self._stores[contender.family], positions)
        maker = next(iter(contender.kind.settings.values()))
        started = time.perf_counter()
        maker(Size(len(lesson), self.seed)).fit(lesson.embedding, lesson.labels)
        return Cost(len(lesson), time.perf_counter() - started, 1.0)

    def measure(self, sample: Sample, contender: Contender) -> tuple[Row, Cost]:
        """Makes a row.

        Raises:
            ExportError: the model's graph does not compute what the model computes.
        """
        if contender.family == Family.NETWORK:
            return self._softmax_row(sample, contender)
        return self._head_row(sample, contender, self._task(sample, contender.family))

    def _task(self, sample: Sample, family: Family) -> _Task:
        columns = self.dataset.columns if family in _WITH_COLUMNS else ()
        if family in _EXTRACT:
            store = self._stores[family]
            parts = (sample.parts.train, sample.parts.validation, sample.parts.test)
            lesson, judge, test = (self._lesson(store, positions) for positions in parts)
            return _Task(lesson, judge, test, columns, store.seconds * sample.size, _EXTRACT[family])
        trained = self._network()
        before = trained.note.seconds + trained.overhead
        embedder = Embedder(cpu_session(trained.graph))
        return _Task(trained.lesson, trained.judge, trained.test, columns, before, embedder, len(trained.graph))

    def _lesson(self, store: Store, positions: Indices) -> Lesson:
        return Lesson(store(positions), self.dataset.labels[positions], self.dataset.beside(positions))

    def _head_row(self, sample: Sample, contender: Contender, task: _Task) -> tuple[Row, Cost]:
        assert contender.kind is not None, "a head has a kind"
        started = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # stopped on purpose, as the catalogue's are
            best = fit_classifiers([contender.kind], task.lesson, task.judge, columns=task.columns, seed=self.seed)[0]
        fitted = time.perf_counter()
        spec, graph = self._exported(best, task)
        served = Head(cpu_session(graph, threads=os.cpu_count() or 1), spec)
        probabilities = _in_batches(served, task.test)
        head = Head(cpu_session(graph), spec)

        def alone(pixels: NDArray[np.uint8], rows: Sequence[Mapping[str, Any]]) -> Probabilities:
            return head(task.extract(pixels), rows)

        seconds, size_bytes = task.before + fitted - started, len(graph) + task.extra_bytes
        row = self._row(sample, contender, probabilities, alone, fit_seconds=seconds, size_bytes=size_bytes)
        return row, Cost(len(task.lesson), fitted - started, time.perf_counter() - fitted)

    def _exported(self, best: Candidate, task: _Task) -> tuple[HeadSpec, bytes]:
        spec = HeadSpec(name="head", kind=best.decider.kind.name, classes=self.dataset.classes, columns=task.columns)
        few = task.lesson.part(np.arange(min(_EXPORT_SAMPLE, len(task.lesson))))
        return spec, export_head(best.decider, spec, few.embedding, few.rows)

    def _softmax_row(self, sample: Sample, contender: Contender) -> tuple[Row, Cost]:
        """The network's own softmax, calibrated on the held-out images as the heads are."""
        trained = self._network()
        started = time.perf_counter()
        judged = trained.softmax(trained.judge.embedding)
        calibration, _ = calibrate(judged, trained.judge.labels, are_probabilities=True, seed=self.seed)
        fitted = time.perf_counter()
        embedder = Embedder(cpu_session(trained.graph))

        def alone(pixels: NDArray[np.uint8], rows: Sequence[Mapping[str, Any]]) -> Probabilities:  # noqa: ARG001
            return calibration(trained.softmax(embedder(pixels)))

        probabilities = calibration(trained.softmax(trained.test.embedding))
        size_bytes = len(trained.graph) + trained.weights.nbytes + trained.bias.nbytes
        seconds = trained.note.seconds + fitted - started
        row = self._row(sample, contender, probabilities, alone, fit_seconds=seconds, size_bytes=size_bytes)
        return row, Cost(sample.size, fitted - started, time.perf_counter() - fitted)

    def _row(
        self,
        sample: Sample,
        contender: Contender,
        probabilities: Probabilities,
        alone: Alone,
        *,
        fit_seconds: float,
        size_bytes: int,
    ) -> Row:
        labels = self.dataset.labels[sample.parts.test]
        figures = score(probabilities, labels)
        return Row(
            size=sample.size,
            family=contender.family,
            name=contender.name,
            accuracy=figures.accuracy,
            log_loss=figures.log_loss + 0.0,  # not -0
            ece=figures.ece,
            fit_seconds=fit_seconds,
            predict_us=self._time_alone(sample, alone),
            size_bytes=size_bytes,
            explains=contender.explains,
            right=pack(probabilities.argmax(1) == labels),
        )

    def _time_alone(self, sample: Sample, alone: Alone) -> float:
        """Median microseconds for one test image after the other, on one thread."""
        positions = np.resize(sample.parts.test, _WARM_UP + _TIMINGS)
        images = self.dataset.images[positions]
        seconds: list[float] = []
        with _one_thread():
            for index in range(len(positions)):
                rows = self.dataset.beside(positions[index : index + 1])
                started = time.perf_counter()
                alone(images[index : index + 1], rows)
                seconds.append(time.perf_counter() - started)
                if sum(seconds) > _TIMING_SECONDS and len(seconds) > _WARM_UP:
                    break
        return float(np.median(seconds[_WARM_UP:])) * 1e6

    def _network(self) -> Trained:
        assert self._trained is not None, "the network is fitted before what needs it"
        return self._trained


@contextmanager
def _one_thread() -> Iterator[None]:
    """For torch, which averages large images; the sessions have one thread each, and HOG has no more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _in_batches(head: Head, test: Lesson) -> Probabilities:
    starts = range(0, len(test), _TEST_BATCH)
    parts = (test.part(np.arange(start, min(start + _TEST_BATCH, len(test)))) for start in starts)
    return np.concatenate([head(part.embedding, part.rows) for part in parts])
