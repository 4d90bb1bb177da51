"""`Job` ──▶ `Measured`: one classical model fitted, tuned and calibrated, exported, tested and timed, in one process.

Whatever a contender looks at, the same is done with it: of its settings the held-out images choose, by log loss; it is
fitted on the sample's images, its temperature on those held out; and what is tested, timed and weighed is ONNX graphs.
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
from training.compare.contenders import Contender
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
"""What answers one image `[1, H, W, C]` and its columns."""

TUNING_ROWS = 5000
"""Settings are chosen by models that are fitted on so many rows at most: it takes seconds, and hardly ever misses."""
TIMED = 63
"""Images that are answered one by one, the first of them to warm up."""
_WARM_UP, _TIMING_SECONDS = 3, 1.0
_EXPORT_SAMPLE = 32
_TEST_BATCH = 500


@dataclass(frozen=True)
class Job:
    """What is to be measured.

    Attributes:
        labelled: to fit on.
        judge: held-out rows, to choose and to calibrate by.
        test: to be answered.
        columns: that stand beside the features.
        classes: names of all classes.
        seed: of whatever is random.
        opened: gives what makes features of one image, on one thread.
        images: uint8 `[63, H, W, C]`, to be timed with.
        rows: the columns beside them.
    """

    contender: Contender
    labelled: LabelledEmbeddings
    judge: LabelledEmbeddings
    test: LabelledEmbeddings
    columns: tuple[Column, ...]
    classes: tuple[str, ...]
    seed: int
    opened: Callable[[], Extract]
    images: NDArray[np.uint8]
    rows: Rows


@dataclass(frozen=True)
class Measured:
    """What was found.

    Attributes:
        probabilities: for the test rows, float32 `[N, K]`; 0 for classes of which there was nothing to fit on.
        predict_us: median microseconds for one image alone.
        size_bytes: of the head's graph.
        tuning: seconds to choose the setting.
        fit: seconds to fit and to calibrate.
        rest: seconds for all else.
    """

    probabilities: Probabilities
    predict_us: float
    size_bytes: int
    tuning: float
    fit: float
    rest: float


def measure(job: Job) -> Measured:
    """Does it all.

    Raises:
        DataError: the kind is not installed.
        ExportError: the model's graph does not compute what the model computes.
    """
    known = np.unique(job.labelled.labels)
    labelled, judge = _relabelled(job.labelled, known), _relabelled(job.judge, known)
    started = time.perf_counter()
    chosen = _chosen(job, labelled, judge)
    tuned = time.perf_counter()
    fitted_head = chosen.fit(labelled)
    # Trees are grown on the rows that judge: those can calibrate only heads that have not seen them.
    fitted_head = chosen.calibrated(fitted_head) if chosen.kind.boosts else _calibrated(fitted_head, judge)
    fitted = time.perf_counter()
    classes = tuple(job.classes[position] for position in known)
    spec = HeadSpec(name="head", kind=fitted_head.kind.name, classes=classes, columns=job.columns)
    few = labelled.part(np.arange(min(_EXPORT_SAMPLE, len(labelled))))
    graph = export_head(fitted_head, spec, few.embedding, few.rows)
    probabilities = np.zeros((len(job.test), len(job.classes)), np.float32)
    probabilities[:, known] = _in_batches(Head(cpu_session(graph, threads=os.cpu_count() or 1), spec), job.test)
    head, extract = Head(cpu_session(graph), spec), job.opened()

    def alone(pixels: NDArray[np.uint8], rows: Sequence[Mapping[str, Any]]) -> Probabilities:
        return head(extract(pixels), rows)

    predict_us = time_alone(alone, job.images, job.rows)
    return Measured(
        probabilities, predict_us, len(graph), tuned - started, fitted - tuned, time.perf_counter() - fitted
    )


def fit_first(job: Job) -> float:
    """Seconds that the first of the settings takes to be fitted."""
    started = time.perf_counter()
    known = np.unique(job.labelled.labels)
    labelled = _relabelled(job.labelled, known)
    fit_heads([_kind(job)], _source(labelled, labelled.part(np.arange(0))), _fitting(job, len(known)))[0].fit(labelled)
    return time.perf_counter() - started


def time_alone(alone: Alone, images: NDArray[np.uint8], rows: Rows) -> float:
    """Median microseconds for one image after the other, on one thread."""
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
    assert job.contender.kind is not None, "the network alone is no job"
    return job.contender.kind


def _relabelled(labelled: LabelledEmbeddings, known: Indices) -> LabelledEmbeddings:
    """The rows of known classes, with positions among these for labels."""
    kept = labelled.part(np.flatnonzero(np.isin(labelled.labels, known)))
    return replace(kept, labels=np.searchsorted(known, kept.labels))


def _chosen(job: Job, labelled: LabelledEmbeddings, judge: LabelledEmbeddings) -> Candidate:
    """What the held-out rows choose, fitted on some of the others; where there are none, what is tried first."""
    few = labelled.part(sample_rows(labelled.labels, TUNING_ROWS, job.seed))
    return fit_heads([_kind(job)], _source(few, judge), _fitting(job, int(labelled.labels.max()) + 1))[0]


def _source(labelled: LabelledEmbeddings, judge: LabelledEmbeddings) -> Source:
    """Rows to fit on, and rows that judge, all in one fold."""
    count = len(judge)
    return Source(judge, np.zeros(count, np.int64), labelled, np.arange(count), np.ones(count, bool))


def _fitting(job: Job, classes: int) -> Fitting:
    return Fitting(classes, job.columns, job.seed)


def _calibrated(head: FittedHead, judge: LabelledEmbeddings) -> FittedHead:
    has_probabilities = head.kind.has_probabilities
    if not len(judge):
        return replace(head, calibration=Temperature(1.0, has_probabilities))
    scores = head.scores(judge.embedding, judge.rows)
    return replace(head, calibration=fit_temperature(scores, judge.labels, has_probabilities))


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
