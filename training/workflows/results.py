"""a head and the test images ──▶ figures: what a training found, as the manifest tells it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.bundle.head_spec import HeadSpec, Metrics
from models.runtime.sessions import Interval, Probabilities
from training.clean.findings.findings import Findings
from training.data.dataset import Dataset
from training.data.images import Indices
from training.data.split import Split
from training.heads.registry import REGISTRY, kind_named
from training.heads.selection.candidates import Candidate
from training.progress import stage
from training.reports import evaluation_metrics
from training.reports.interval_coverage import coverage
from training.workflows.finishing import Finished, accepted
from training.workflows.model_selection import Alone, Material
from training.workflows.precision_trial import Variants

if TYPE_CHECKING:
    from training.network.fit import History

CNN = "CNN softmax"
ROWS = {kind.name: f"{kind.title} on the embedding" for kind in REGISTRY.values()}
"""Names of the served row by the head's kind."""
LOGISTIC = ROWS["logistic_regression"]
RIVALS = {CNN: "test_accuracy_cnn_softmax", LOGISTIC: "test_accuracy_logistic_regression"}
"""Rows beside the served one, and what the manifest calls their accuracy."""


JUDGING = ("judged by", "judged on", "chosen by", "test images", "why fewer judge")
"""Names of the entries of `judging`."""


@dataclass
class Stopwatch:
    """Seconds of each step, in order."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Times a step, and tells of it while it lasts."""
        started = time.perf_counter()
        with stage(name):
            yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started


@dataclass(frozen=True)
class Evaluation:
    """What was found on the test images.

    Attributes:
        served: which of the rows is served.
        outputs: by name of the row, probabilities `[T, K]` or values `[T, 1]`.
        labels: class positions, int64 `[T]`, or numbers, float64 `[T]`.
        accepted: which answers of the served row nobody has to look at, `[T]`.
        eligible: which of them only a low confidence could send to a person, `[T]`.
        unfamiliar: which images are too far from those of training, `[T]`.
        counted: which images count: those of which no other part has a copy, `[T]`.
        positions: of the test images in the data set, `[T]`.
        intervals: the bounds of the served row's numbers, `[T, 2]`; None where it has none.
    """

    served: str
    outputs: Mapping[str, Probabilities]
    labels: NDArray[Any]
    accepted: NDArray[np.bool_]
    eligible: NDArray[np.bool_]
    unfamiliar: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    positions: Indices
    intervals: Interval | None = None

    @property
    def answers(self) -> Probabilities:
        """Of the served row."""
        return self.outputs[self.served]

    def without_copies(self) -> Evaluation:
        """The same of the images that count."""
        kept = self.counted
        return Evaluation(
            served=self.served,
            outputs={name: values[kept] for name, values in self.outputs.items()},
            labels=self.labels[kept],
            accepted=self.accepted[kept],
            eligible=self.eligible[kept],
            unfamiliar=self.unfamiliar[kept],
            counted=kept[kept],
            positions=self.positions[kept],
            intervals=None if self.intervals is None else self.intervals[kept],
        )

    def scores(self) -> dict[str, evaluation_metrics.Scores]:
        """Accuracy, log loss and calibration error of each row."""
        return {name: evaluation_metrics.score(values, self.labels) for name, values in self.outputs.items()}

    def errors(self) -> dict[str, evaluation_metrics.Errors]:
        """How far off the numbers of each row are."""
        return {name: evaluation_metrics.errors(values, self.labels) for name, values in self.outputs.items()}


def evaluate(head: Finished, material: Material, rivals: Mapping[str, Probabilities]) -> Evaluation:
    """What a head answers on the test images, beside what others do."""
    test, parts = material.test, material.parts
    beside = " and the columns" if material.dataset.columns else ""
    kind = kind_named(head.spec.kind)
    row = kind.title if kind.needs_columns else f"{kind.title} on the embedding{beside}"
    found, intervals = head.head.answer(test.embedding, test.rows)
    policy, distances = head.spec.policy, head.distances(test.embedding)
    at_any_confidence = policy.model_copy(update={"min_confidence": 0.0, "min_confidence_of": {}})
    lax = head.spec.model_copy(update={"policy": at_any_confidence})
    return Evaluation(
        served=row,
        outputs={**rivals, row: found},
        labels=test.labels,
        accepted=accepted(head.spec, found, distances, test.rows),
        eligible=accepted(lax, found, distances, test.rows),
        unfamiliar=distances > (math.inf if policy.max_distance is None else policy.max_distance),
        counted=~np.isin(parts.test, parts.copied),
        positions=parts.test,
        intervals=intervals,
    )


@dataclass(frozen=True)
class Results:
    """All that a training found.

    Attributes:
        material: what the head was fitted on, judged by and tested on.
        head: as it is served.
        choices: the candidates for the head, the chosen one first; none where the head was there before.
        criterion: what the chosen one has least of.
        evaluation: on the test images.
        variants: the embedder in every precision that was kept.
        settings: what the manifest tells of the training.
        seconds: of each step.
        hardware: what it ran on.
        history: of the network's training; None where it was not trained.
        alone: what the head's kind makes of the image alone and of the columns alone.
        findings: what is wrong with the data; None where nobody looked.
    """

    material: Material
    head: Finished
    choices: Sequence[Candidate]
    criterion: str
    evaluation: Evaluation
    variants: Variants
    settings: Mapping[str, Any]
    seconds: Mapping[str, float]
    hardware: str
    history: History | None = None
    alone: Sequence[Alone] = ()
    findings: Findings | None = None

    @property
    def dataset(self) -> Dataset:
        """Images and labels."""
        return self.material.dataset

    @property
    def parts(self) -> Split:
        """How they were split."""
        return self.material.parts

    @property
    def measured(self) -> HeadSpec:
        """The head's entry in the manifest, with its figures."""
        return self.head.spec.model_copy(update={"metrics": head_metrics(self)})


def known_images(parts: Split) -> Indices:
    """All that a training may look at; very small data sets have no validation images."""
    return np.concatenate([parts.validation, parts.train])


def head_metrics(results: Results) -> Metrics:
    """Figures on the test images of which no other part has a copy, and what the policy promises.

    `test_accuracy_with_copies` is of all test images. `precision`, `recall` and `support` have a figure for each class.
    """
    whole, evaluation = results.evaluation, results.evaluation.without_copies()
    figures: dict[str, float] = {f"test_{name}": value for name, value in _served_figures(results, evaluation).items()}
    tables: dict[str, dict[str, Any]] = {}
    if results.dataset.classes:
        rows, classes = evaluation.scores(), results.dataset.classes
        figures["test_accuracy_with_copies"] = evaluation_metrics.score(whole.answers, whole.labels).accuracy
        figures |= {
            metric: rows[name].accuracy for name, metric in RIVALS.items() if name in rows and name != evaluation.served
        }
        confusion = evaluation_metrics.confusion(evaluation.answers, evaluation.labels)
        figures["balanced_accuracy"] = evaluation_metrics.balanced_accuracy(confusion)
        tables = {
            "precision": _by_class(classes, evaluation_metrics.recall(confusion.T)),
            "recall": _by_class(classes, evaluation_metrics.recall(confusion)),
            "support": dict(zip(classes, confusion.sum(1).tolist(), strict=True)),
        }
    accepted = evaluation.accepted
    figures["test_accepted"] = float(accepted.mean())
    if results.dataset.classes and accepted.any():
        hits = evaluation.answers.argmax(1) == evaluation.labels
        figures["test_accepted_accuracy"] = float(hits[accepted].mean())
    if results.head.judged is not None and results.head.judged.promise is not None:
        tables["promise"] = results.head.judged.promise.as_metrics()
    return {**evaluation_metrics.rounded(figures), **tables}


def _by_class(classes: Sequence[str], shares: NDArray[np.float64]) -> dict[str, float]:
    """Of the classes that have a figure."""
    return {name: round(share, 6) for name, share in zip(classes, shares.tolist(), strict=True) if math.isfinite(share)}


def _served_figures(results: Results, evaluation: Evaluation) -> dict[str, float]:
    if results.dataset.classes:
        return asdict(evaluation.scores()[evaluation.served])
    figures = asdict(evaluation.errors()[evaluation.served])
    if evaluation.intervals is None:
        return figures
    found = coverage(evaluation.answers[:, 0], evaluation.labels, evaluation.intervals)
    least = min((part.covered for part in found.fifths), default=math.nan)
    return figures | {"interval_coverage": found.covered, "interval_coverage_of_worst_fifth": least}


def image_counts(parts: Split) -> dict[str, int]:
    """How many images each part has, as the manifest tells it."""
    return {"train": len(parts.train), "validation": len(parts.validation), "test": len(parts.test)}


def judging(results: Results) -> dict[str, Any]:
    """What chose the head and its policy, and what the test images were used for, as the manifest tells it."""
    material = results.material
    told = ("out-of-fold answers", len(material.judged), results.criterion, "final figures; they chose nothing")
    return dict(zip(JUDGING, (*told, material.why_fewer), strict=True))
