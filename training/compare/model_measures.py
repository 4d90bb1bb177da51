"""a sample and a model ──▶ its row: makes features or embeddings, and measures the model in a process with a limit."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.runtime.sessions import Embedder, Probabilities, cpu_session
from training.compare import model_job as jobs
from training.compare.budget import Cost
from training.compare.compared_models import ComparedModel
from training.compare.image_features import (
    Extract,
    Pretrained,
    Store,
    export_pretrained,
    gradients,
    nothing,
    raw_pixels,
)
from training.compare.network_trainer import Trained, Trainer, train
from training.compare.report.comparison_rows import Family, Row, pack
from training.compare.report.nested_samples import Sample
from training.compare.report.paired_intervals import accuracy_interval
from training.compare.time_limit import Worker
from training.data.dataset import Dataset
from training.data.images import Indices
from training.heads.calibration import fit_temperature
from training.heads.labelled_embeddings import LabelledEmbeddings
from training.reports.evaluation_metrics import score

_PILOT_ROWS = 500
_EXPORT_SAMPLE = 32
_EXTRACT: Mapping[Family, Extract] = {Family.COLUMNS: nothing, Family.PIXELS: raw_pixels, Family.HOG: gradients}
_WITH_COLUMNS = (Family.COLUMNS, Family.HYBRID_COLUMNS)


class ModelMeasures:
    """Measures models on one data set. It keeps features and the network of the last size for the next row.

    Whatever takes long runs in the worker, which raises Ended when its time is up.
    """

    def __init__(self, dataset: Dataset, seed: int, worker: Worker, trainer: Trainer | None = None) -> None:
        self.dataset = dataset
        self.seed = seed
        self._worker = worker
        self._trainer = trainer or Trainer(dataset, seed)
        self._stores = {family: Store(dataset.images, extract) for family, extract in _EXTRACT.items()}
        self._pretrained = b""
        self._trained: Trained | None = None

    def train(self, sample: Sample, seconds: float, *, limit: float, turn: int = 0) -> Trained | str:
        """Fits the network of a size and keeps it, or says why it cannot.

        Raises:
            Ended: it took longer than the limit.
            ExportError: its graph's output differs from its own.
        """
        self._trained = None  # frees the embeddings of the last size
        found, known = self._worker(train, self._trainer, sample, seconds, turn, seconds=limit)
        self._trainer.image_seconds.update(known)
        if isinstance(found, Trained):
            self._trained = found
        return found

    def preparation(self, sample: Sample, model: ComparedModel, *, limit: float) -> float:
        """Seconds that it takes to make the features of a model that are not made yet.

        Raises:
            DataError: a package that the model needs is not installed.
            Ended, ExportError: the pretrained network cannot be exported.
        """
        if model.kind is not None:
            model.kind.check_installed()
        if model.needs_network:
            return 0.0
        positions = np.concatenate([sample.parts.known, sample.parts.test])
        return self._store(model.family, limit).expected_seconds(positions)

    def pilot(self, sample: Sample, model: ComparedModel, *, limit: float) -> Cost:
        """Measures what a classical model costs on a few images, to estimate what it will cost on many.

        Raises:
            Ended: it took longer than the limit.
        """
        positions = sample.parts.train[:: max(1, len(sample.parts.train) // _PILOT_ROWS)]
        few = self._features(self._store(model.family, limit), positions, limit)
        job = self._job(sample, model, (few, few, few), partial(_same, nothing), 0)
        return Cost(len(few), self._worker(jobs.fit_first, job, seconds=limit), 1.0)

    def measure(self, sample: Sample, model: ComparedModel, *, limit: float, turn: int = 0) -> tuple[Row, Cost]:
        """Makes a row.

        Args:
            sample: its images.
            model: what is fitted on them.
            limit: seconds after which it is ended.
            turn: added to the seed.

        Raises:
            DataError: a package that the model needs is not installed.
            Ended: it took longer than the limit.
            ExportError: the graph's output differs from the model's.
        """
        if model.family == Family.NETWORK:
            return self._softmax_row(sample, model)
        started = time.perf_counter()
        labelled, open_extract, before, extra_bytes = self._rows(sample, model.family, limit)
        job = self._job(sample, model, labelled, open_extract, turn)
        found = self._worker(jobs.measure, job, seconds=limit - (time.perf_counter() - started))
        row = self._row(
            sample,
            model,
            found.probabilities,
            fit_seconds=before + found.tuning + found.fit,
            predict_us=found.predict_us,
            size_bytes=found.size_bytes + extra_bytes,
        )
        grows = len(job.train) <= jobs.TUNING_ROWS  # then the tuning grows with the rows as well
        fit, rest = (found.tuning + found.fit, found.rest) if grows else (found.fit, found.tuning + found.rest)
        return row, Cost(len(job.train), fit, rest)

    def _rows(
        self, sample: Sample, family: Family, limit: float
    ) -> tuple[tuple[LabelledEmbeddings, LabelledEmbeddings, LabelledEmbeddings], Callable[[], Extract], float, int]:
        """Rows to fit on, held-out rows and test rows; what opens the extractor of features; its seconds; its bytes."""
        if family in (Family.HYBRID, Family.HYBRID_COLUMNS):
            trained = self._network()
            labelled = trained.train, trained.held_out, trained.test
            before = trained.note.seconds + trained.overhead
            return labelled, partial(_embedder, trained.graph), before, len(trained.graph)
        store = self._store(family, limit)
        parts = sample.parts.train, sample.parts.validation, sample.parts.test
        train, held_out, test = (self._features(store, positions, limit) for positions in parts)
        before = store.seconds * sample.size
        if family == Family.PRETRAINED:
            return (train, held_out, test), partial(Pretrained, self._pretrained), before, len(self._pretrained)
        return (train, held_out, test), partial(_same, _EXTRACT[family]), before, 0

    def _store(self, family: Family, limit: float) -> Store:
        """The features of a family; the pretrained network is exported when it is first needed."""
        if family not in self._stores:
            images = self.dataset.images[np.arange(min(_EXPORT_SAMPLE, len(self.dataset.images)))]
            self._pretrained = self._worker(export_pretrained, images, seconds=limit)
            extract = Pretrained(self._pretrained, threads=os.cpu_count() or 1)
            self._stores[family] = Store(self.dataset.images, extract)
        return self._stores[family]

    def _features(self, store: Store, positions: Indices, limit: float) -> LabelledEmbeddings:
        return LabelledEmbeddings(
            store(positions, limit), self.dataset.labels[positions], self.dataset.beside(positions)
        )

    def _job(
        self,
        sample: Sample,
        model: ComparedModel,
        labelled: tuple[LabelledEmbeddings, LabelledEmbeddings, LabelledEmbeddings],
        open_extract: Callable[[], Extract],
        turn: int,
    ) -> jobs.Job:
        images, rows = self._timed(sample)
        columns = self.dataset.columns if model.family in _WITH_COLUMNS else ()
        return jobs.Job(model, *labelled, columns, self.dataset.classes, self.seed + turn, open_extract, images, rows)

    def _softmax_row(self, sample: Sample, model: ComparedModel) -> tuple[Row, Cost]:
        """The network's own softmax, calibrated on the held-out images as the heads are."""
        trained = self._network()
        started = time.perf_counter()
        held_out = trained.softmax(trained.held_out.embedding)
        calibration = fit_temperature(held_out, trained.held_out.labels, True)
        fitted = time.perf_counter()
        embedder = Embedder(cpu_session(trained.graph))

        def alone(pixels: NDArray[np.uint8], rows: Sequence[Mapping[str, Any]]) -> Probabilities:  # noqa: ARG001
            return calibration(trained.softmax(embedder(pixels)))

        row = self._row(
            sample,
            model,
            calibration(trained.softmax(trained.test.embedding)),
            fit_seconds=trained.note.seconds + fitted - started,
            predict_us=jobs.time_alone(alone, *self._timed(sample)),
            size_bytes=len(trained.graph) + trained.weights.nbytes + trained.bias.nbytes,
        )
        return row, Cost(sample.size, fitted - started, time.perf_counter() - fitted)

    def _row(
        self,
        sample: Sample,
        model: ComparedModel,
        probabilities: Probabilities,
        *,
        fit_seconds: float,
        predict_us: float,
        size_bytes: int,
    ) -> Row:
        labels = self.dataset.labels[sample.parts.test]
        figures = score(probabilities, labels)
        hits = probabilities.argmax(1) == labels
        limits = accuracy_interval(hits[None])
        return Row(
            size=sample.size,
            family=model.family,
            name=model.name,
            accuracy=figures.accuracy,
            low=limits.low / 100,
            high=limits.high / 100,
            log_loss=figures.log_loss + 0.0,  # not -0
            ece=figures.ece,
            fit_seconds=fit_seconds,
            predict_us=predict_us,
            size_bytes=size_bytes,
            explains=model.explains,
            right=(pack(hits),),
        )

    def _timed(self, sample: Sample) -> tuple[NDArray[np.uint8], Sequence[Mapping[str, Any]]]:
        """Test images for timing, and their columns."""
        positions = np.resize(sample.parts.test, jobs.TIMED)
        return self.dataset.images[positions], self.dataset.beside(positions)

    def _network(self) -> Trained:
        assert self._trained is not None, "the network is fitted before what needs it"
        return self._trained


def _same(extract: Extract) -> Extract:
    return extract


def _embedder(graph: bytes) -> Extract:
    return Embedder(cpu_session(graph))
