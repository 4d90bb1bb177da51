"""`Job` ──▶ `Measured`: one classical model fitted, tuned and calibrated, exported, tested and timed, in one process.

All models are treated alike. The held-out images choose the setting by log loss; the model is fitted on the sample's
images and its temperature on the held-out ones; and what is tested, timed and weighed are ONNX graphs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.bundle.head_spec import HeadSpec
from models.columns import Column
from models.runtime.head_sessions import Head
from models.runtime.sessions import Probabilities, cpu_session
from training.compare.compared_models import ComparedModel
from training.compare.image_features import Extract
from training.data.images import Indices
from training.heads.calibration import Temperature, fit_temperature
from training.heads.features.encoding import Rows
from training.heads.fitted_head import FittedHead
from training.heads.graphs.head_export import export_head
from training.heads.head_fit import Fitting, sample_rows
from training.heads.kind import Kind
from training.heads.labelled_embeddings import LabelledEmbeddings
from training.heads.selection.candidates import Candidate
from training.heads.selection.search import fit_heads
from training.heads.sources import Source

Alone = Callable[[NDArray[np.uint8], Sequence[Mapping[str, Any]]], Probabilities]
"""Predicts one image `[1, H, W, C]` with its columns."""

TUNING_ROWS = 5000
"""Settings are chosen with models that are fitted on at most this many rows: it takes seconds and is rarely wrong."""
TIMED = 63
"""Images that are predicted one by one; the first of them warm up."""
_WARM_UP, _TIMING_SECONDS = 3, 1.0
_EXPORT_SAMPLE = 32
_TEST_BATCH = 500


@dataclass(frozen=True)
class Job:
    """One measurement.

    Attributes:
        model: the model.
        train: rows to fit on.
        held_out: rows that choose the setting and the temperature.
        test: rows to predict.
        columns: the columns beside the features.
        classes: names of all classes.
        seed: of whatever is random.
        open_extract: opens what makes the features of one image, on one thread.
        images: uint8 `[63, H, W, C]`, for timing.
        rows: the columns beside them.
    """

    model: ComparedModel
    train: LabelledEmbeddings
    held_out: LabelledEmbeddings
    test: LabelledEmbeddings
    columns: tuple[Column, ...]
    classes: tuple[str, ...]
    seed: int
    open_extract: Callable[[], Extract]
    images: NDArray[np.uint8]
    rows: Rows


@dataclass(frozen=True)
class Measured:
    """The result.

    Attributes:
        probabilities: of the test rows, float32 `[N, K]`; 0 for classes without rows to fit on.
        predict_us: median microseconds for one image alone.
        size_bytes: of the head's graph.
        tuning: seconds to choose the setting.
        fit: seconds to fit and to calibrate.
        rest: seconds for everything else.
    """

    probabilities: Probabilities
    predict_us: float
    size_bytes: int
    tuning: float
    fit: float
    rest: float


def measure(job: Job) -> Measured:
    """Fits, calibrates, exports, tests and times a model.

    Raises:
        DataError: the kind is not installed.
        ExportError: the graph's output differs from the model's.
    """
    known = np.unique(job.train.labels)
    labelled, held_out = _relabelled(job.train, known), _relabelled(job.held_out, known)
    started = time.perf_counter()
    chosen = _chosen(job, labelled, held_out)
    tuned = time.perf_counter()
    fitted_head = chosen.fit(labelled)
    # Trees are fitted on the held-out rows too, so those can only calibrate heads that have not seen them.
    fitted_head = chosen.calibrated(fitted_head) if chosen.kind.boosts else _calibrated(fitted_head, held_out)
    fitted = time.perf_counter()
    classes = tuple(job.classes[position] for position in known)
    spec = HeadSpec(name="head", kind=fitted_head.kind.name, classes=classes, columns=job.columns)
    few = labelled.part(np.arange(min(_EXPORT_SAMPLE, len(labelled))))
    graph = export_head(fitted_head, spec, few.embedding, few.rows)
    probabilities = np.zeros((len(job.test), len(job.classes)), np.float32)
    probabilities[:, known] = _in_batches(Head(cpu_session(graph, threads=os.cpu_count() or 1), spec), job.test)
    head, extract = Head(cpu_session(graph), spec), job.open_extract()

    def alone(pixels: NDArray[np.uint8], rows: Sequence[Mapping[str, Any]]) -> Probabilities:
        return head(extract(pixels), rows)

    predict_us = time_alone(alone, job.images, job.rows)
    return Measured(
        probabilities, predict_us, len(graph), tuned - started, fitted - tuned, time.perf_counter() - fitted
    )


def fit_first(job: Job) -> float:
    """Seconds to fit the first setting."""
    started = time.perf_counter()
    known = np.unique(job.train.labels)
    labelled = _relabelled(job.train, known)
    fit_heads([_kind(job)], _source(labelled, labelled.part(np.arange(0))), _fitting(job, len(known)))[0].fit(labelled)
    return time.perf_counter() - started


def time_alone(alone: Alone, images: NDArray[np.uint8], rows: Rows) -> float:
    """Median microseconds for one image, predicted one after the other on one thread."""
    seconds: list[float] = []
    with _one_thread():
        for index in range(len(images)):
            started = time.perf_counter()
            alone(images[index : index + 1], rows[index : index + 1])
            seconds.append(time.perf_counter() - started)
            if sum(seconds) > _TIMING_SECONDS and len(seconds) > _WARM_UP:
                break
    return float(np.median(seconds[_WARM_UP:])) * 1e6


def _kind(job: Job) -> Kind:
    assert job.model.kind is not None, "the network alone is measured without a job"
    return job.model.kind


def _relabelled(labelled: LabelledEmbeddings, known: Indices) -> LabelledEmbeddings:
    """The rows of known classes; their labels become positions among these."""
    kept = labelled.part(np.flatnonzero(np.isin(labelled.labels, known)))
    return replace(kept, labels=np.searchsorted(known, kept.labels))


def _chosen(job: Job, labelled: LabelledEmbeddings, held_out: LabelledEmbeddings) -> Candidate:
    """The setting that the held-out rows choose, with fits on some of the others; the first one if there are none."""
    few = labelled.part(sample_rows(labelled.labels, TUNING_ROWS, job.seed))
    return fit_heads([_kind(job)], _source(few, held_out), _fitting(job, int(labelled.labels.max()) + 1))[0]


def _source(labelled: LabelledEmbeddings, held_out: LabelledEmbeddings) -> Source:
    """Rows to fit on, and held-out rows in one fold."""
    count = len(held_out)
    return Source(held_out, np.zeros(count, np.int64), labelled, np.arange(count), np.ones(count, bool))


def _fitting(job: Job, classes: int) -> Fitting:
    return Fitting(classes, job.columns, job.seed)


def _calibrated(head: FittedHead, held_out: LabelledEmbeddings) -> FittedHead:
    has_probabilities = head.kind.has_probabilities
    if not len(held_out):
        return replace(head, calibration=Temperature(1.0, has_probabilities))
    scores = head.scores(held_out.embedding, held_out.rows)
    return replace(head, calibration=fit_temperature(scores, held_out.labels, has_probabilities))


def _in_batches(head: Head, test: LabelledEmbeddings) -> Probabilities:
    starts = range(0, len(test), _TEST_BATCH)
    parts = (test.part(np.arange(start, min(start + _TEST_BATCH, len(test)))) for start in starts)
    return np.concatenate([head(part.embedding, part.rows) for part in parts])


@contextmanager
def _one_thread() -> Iterator[None]:
    """For torch, which averages large images; the sessions have one thread each, and HOG has no more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
