"""selection, evaluation and precisions ──▶ `Results`: all that a training found, and its figures in the manifest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle.head_spec import HeadSpec, Metrics
from training.clean.findings.findings import Findings
from training.data.dataset import Dataset
from training.data.split import Split
from training.export.exported_head import ExportedHead
from training.heads.selection.candidates import Candidate
from training.network.history import History
from training.quantization.precision_trial import Variants
from training.reports import evaluation_metrics
from training.reports.interval_coverage import coverage
from training.stages.ablation import Ablation
from training.stages.evaluation import BASELINES, Evaluation
from training.stages.model_selection import Selection
from training.stages.training_data import TrainingData

VALIDATION_ENTRIES = ("judged by", "judged on", "chosen by", "test images", "why fewer judge")
"""Names of the entries of `validation_entries`."""


@dataclass(frozen=True)
class Results:
    """All that a training found.

    Attributes:
        data: what the head was fitted on, validated and tested with.
        head: as it is served.
        evaluation: on the test images.
        variants: the embedder in every precision.
        settings: of the training, as the manifest has them.
        seconds: duration of each stage.
        hardware: what it ran on.
        selection: candidates of the head; None if the head was there before.
        ablations: the head on the image alone and on the columns alone.
        history: of the network's training; None if it was not trained.
        findings: what is wrong with the data; None if nobody looked.
        learnt: sentences on what was learnt from answers; empty if nothing was.
    """

    data: TrainingData
    head: ExportedHead
    evaluation: Evaluation
    variants: Variants
    settings: Mapping[str, Any]
    seconds: Mapping[str, float]
    hardware: str
    selection: Selection | None = None
    ablations: Sequence[Ablation] = ()
    history: History | None = None
    findings: Findings | None = None
    learnt: Sequence[str] = ()

    @property
    def dataset(self) -> Dataset:
        """Images and labels."""
        return self.data.dataset

    @property
    def parts(self) -> Split:
        """How they are split."""
        return self.data.parts

    @property
    def candidates(self) -> Sequence[Candidate]:
        """Candidates of the head, the selected one first; empty if the head was there before."""
        return self.selection.candidates if self.selection else ()

    @property
    def criterion(self) -> str:
        """What the selected candidate has least of."""
        return self.selection.fitting.criterion if self.selection else str(self.settings.get("chosen by", ""))

    @property
    def spec(self) -> HeadSpec:
        """The head's entry in the manifest, with its figures."""
        return self.head.spec.model_copy(update={"metrics": head_metrics(self)})


def head_metrics(results: Results) -> Metrics:
    """Figures on the test images that have no copy in another part, and what the policy promises.

    `test_accuracy_with_copies` is for all test images. `precision`, `recall` and `support` have a figure per class.
    """
    evaluation = results.evaluation.without_copies()
    figures = {f"test_{name}": value for name, value in _served_figures(results, evaluation).items()}
    tables: dict[str, dict[str, Any]] = {}
    if results.dataset.classes:
        class_figures, tables = _class_metrics(results, evaluation)
        figures |= class_figures
    accepted = evaluation.accepted
    figures["test_accepted"] = float(accepted.mean())
    if results.dataset.classes and accepted.any():
        hits = evaluation.answers.argmax(1) == evaluation.labels
        figures["test_accepted_accuracy"] = float(hits[accepted].mean())
    if results.head.held_out is not None and results.head.held_out.promise is not None:
        tables["promise"] = results.head.held_out.promise.as_metrics()
    return {**evaluation_metrics.rounded(figures), **tables}


def _class_metrics(results: Results, evaluation: Evaluation) -> tuple[dict[str, float], dict[str, dict[str, Any]]]:
    """Figures of the classes together, and tables with one figure per class."""
    classes, whole, rows = results.dataset.classes, results.evaluation, evaluation.scores()
    confusion = evaluation_metrics.confusion(evaluation.answers, evaluation.labels)
    figures = {"test_accuracy_with_copies": evaluation_metrics.score(whole.answers, whole.labels).accuracy}
    figures |= {
        metric: rows[name].accuracy for name, metric in BASELINES.items() if name in rows and name != evaluation.served
    }
    figures["balanced_accuracy"] = evaluation_metrics.balanced_accuracy(confusion)
    tables = {
        "precision": _by_class(classes, evaluation_metrics.recall(confusion.T)),
        "recall": _by_class(classes, evaluation_metrics.recall(confusion)),
        "support": dict(zip(classes, confusion.sum(1).tolist(), strict=True)),
    }
    return figures, tables


def _by_class(classes: Sequence[str], shares: NDArray[np.float64]) -> dict[str, float]:
    """The figures that are finite, by class."""
    return {name: round(share, 6) for name, share in zip(classes, shares.tolist(), strict=True) if math.isfinite(share)}


def _served_figures(results: Results, evaluation: Evaluation) -> dict[str, float]:
    """Scores of the head, or its errors and what its intervals cover."""
    if results.dataset.classes:
        return asdict(evaluation.scores()[evaluation.served])
    figures = asdict(evaluation.errors()[evaluation.served])
    if evaluation.intervals is None:
        return figures
    covered = coverage(evaluation.answers[:, 0], evaluation.labels, evaluation.intervals)
    least = min((part.covered for part in covered.fifths), default=math.nan)
    return figures | {"interval_coverage": covered.covered, "interval_coverage_of_worst_fifth": least}


def image_counts(parts: Split) -> dict[str, int]:
    """Number of images in each part, as the manifest has it."""
    return {"train": len(parts.train), "validation": len(parts.validation), "test": len(parts.test)}


def validation_entries(results: Results) -> dict[str, Any]:
    """What selected the head and its policy, and what the test images were used for, as the manifest has it."""
    data = results.data
    tested = "final figures; they chose nothing" if len(data.parts.test) else "none; the figures are out of fold"
    entries = ("out-of-fold answers", len(data.held_out), results.criterion, tested)
    return dict(zip(VALIDATION_ENTRIES, (*entries, data.why_fewer), strict=True))
