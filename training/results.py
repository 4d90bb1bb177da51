"""what a training found ──▶ manifest and report, and with the graphs the bundle."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.bundle import REPORT, Bundle
from models.golden import verify
from models.manifest import EMBEDDER_FILES, HeadSpec, Manifest
from models.policy import Policy
from models.sessions import Head, Probabilities, cpu_session
from models.store import Store
from training import metrics, report
from training.bundle import choose_golden, golden_files, golden_spec, library_versions
from training.dataset import Dataset, Labels, Split
from training.heads import Candidate, Judge
from training.images import Indices
from training.variants import Variants

if TYPE_CHECKING:
    from training.fit import History

HEAD_NAME = "category"
CNN = "CNN softmax"
LOGISTIC = "logistic regression on the embedding"
BOOSTING = "gradient boosting on the embedding"
ROWS = {"hist_gradient_boosting": BOOSTING, "logistic_regression": LOGISTIC}
"""Names of the served row by the head's kind."""
RIVALS = {CNN: "test_accuracy_cnn_softmax", LOGISTIC: "test_accuracy_logistic_regression"}
"""Rows beside the served one, and what the manifest calls their accuracy."""
MISTAKES_SHOWN = 24


@dataclass
class Stopwatch:
    """Seconds of each step, in order."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Times a step."""
        started = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started


@dataclass(frozen=True)
class Evaluation:
    """Probabilities `[T, K]` on the test images by name of the row, and which of the rows is served."""

    served: str
    probabilities: Mapping[str, Probabilities]
    labels: Labels

    def scores(self) -> dict[str, metrics.Scores]:
        """Accuracy, log loss and calibration error of each row."""
        return {name: metrics.score(values, self.labels) for name, values in self.probabilities.items()}


@dataclass(frozen=True)
class Results:
    """All that a training found.

    Attributes:
        dataset: images and labels.
        parts: how they were split.
        embedding_width: columns of the embedding.
        head: the head's entry in the manifest, but for its metrics.
        head_graph: the head.
        choices: the candidates for the head, the chosen one first.
        judged: how many validation images they were judged on.
        evaluation: on the test images.
        variants: the embedder in every precision that was kept.
        settings: what the manifest tells of the training.
        seconds: of each step.
        hardware: what it ran on.
        history: of the network's training; None where it was not trained.
    """

    dataset: Dataset
    parts: Split
    embedding_width: int
    head: HeadSpec
    head_graph: bytes
    choices: list[Candidate]
    judged: int
    evaluation: Evaluation
    variants: Variants
    settings: Mapping[str, Any]
    seconds: Mapping[str, float]
    hardware: str
    history: History | None = None


def write(results: Results, root: Path) -> Path:
    """Writes the bundle as the next version of its name into the store at `root`, and checks it there."""
    store = Store(root)
    images = results.dataset.images[choose_golden(results.dataset, known_images(results.parts))]
    graphs = results.variants.graphs
    files = {
        **{EMBEDDER_FILES[precision]: graph for precision, graph in graphs.items()},
        results.head.file: results.head_graph,
        **golden_files(images, graphs, [Head(cpu_session(results.head_graph), results.head)]),
    }
    manifest = _manifest(results, store.next_version(results.dataset.name), len(images))
    path = store.add(manifest, {**files, REPORT: report_page(results, manifest, files)})
    verify(Bundle.open(path))
    return path


def known_images(parts: Split) -> Indices:
    """All that a training may look at; very small data sets have no validation images."""
    return np.concatenate([parts.validation, parts.train])


def head_spec(kind: str, classes: tuple[str, ...], candidate: Candidate, judge: Judge, precision: float) -> HeadSpec:
    """The head's entry in the manifest, with the confidence from which on it is right in a share `precision`."""
    threshold = metrics.choose_min_confidence(judge.probabilities(candidate.head), judge.labels, precision)
    return HeadSpec(name=HEAD_NAME, kind=kind, classes=classes, policy=Policy(min_confidence=round(threshold, 4)))


def image_counts(parts: Split) -> dict[str, int]:
    """How many images each part has, as the manifest tells it."""
    return {"train": len(parts.train), "validation": len(parts.validation), "test": len(parts.test)}


def _manifest(results: Results, version: int, golden_count: int) -> Manifest:
    scores = results.evaluation.scores()
    served = scores[results.evaluation.served]
    figures = {"test_accuracy": served.accuracy, "test_log_loss": served.log_loss, "test_ece": served.ece}
    figures |= {
        metric: scores[name].accuracy
        for name, metric in RIVALS.items()
        if name in scores and name != results.evaluation.served
    }
    rounded = {name: round(value, 6) for name, value in figures.items()}
    return Manifest(
        name=results.dataset.name,
        version=version,
        created=datetime.now(UTC).replace(microsecond=0),
        input=results.dataset.input,
        embedding_width=results.embedding_width,
        precisions=results.variants.precisions,
        variants=results.variants.specs,
        heads=(results.head.model_copy(update={"metrics": rounded}),),
        golden=golden_spec(golden_count, results.variants.precisions),
        data_fingerprint=results.dataset.fingerprint(),
        training={
            **results.settings,
            "images": image_counts(results.parts),
            "hardware": results.hardware,
            "seconds": {name: round(seconds, 1) for name, seconds in results.seconds.items()},
        },
        libraries=library_versions(),
        files={},
    )


def report_page(results: Results, manifest: Manifest, files: Mapping[str, bytes]) -> bytes:
    """The report on a bundle of these files."""
    parts, evaluation = results.parts, results.evaluation
    served = evaluation.probabilities[evaluation.served]
    shown = report.Report(
        model=manifest.model,
        created=manifest.created,
        classes=results.dataset.classes,
        hardware=results.hardware,
        settings=manifest.training,
        counts=report.Counts(len(parts.train), len(parts.validation), len(parts.test)),
        scores=evaluation.scores(),
        served=evaluation.served,
        confusion=metrics.confusion(served, evaluation.labels),
        reliability=metrics.reliability(served, evaluation.labels),
        coverage=_coverage(served, evaluation.labels, results.head.policy.min_confidence),
        history=results.history,
        steps=results.seconds,
        sizes={name: len(data) for name, data in files.items()},
        mistakes=_mistakes(results, served),
        head_choices=[
            report.HeadChoice(choice.name, choice.scores.log_loss, choice.scores.accuracy, choice is results.choices[0])
            for choice in results.choices
        ],
        judged=results.judged,
        variants=results.variants.specs,
        skipped=results.dataset.skipped,
    )
    return report.render(shown)


def _coverage(probabilities: Probabilities, labels: Labels, min_confidence: float) -> report.Coverage:
    accepted = probabilities.max(1) >= min_confidence
    hits = probabilities.argmax(1) == labels
    accuracy = float(hits[accepted].mean()) if accepted.any() else float("nan")
    return report.Coverage(min_confidence, float(accepted.mean()), accuracy)


def _mistakes(results: Results, probabilities: Probabilities) -> list[report.Mistake]:
    """The wrong test answers of highest confidence."""
    labels, classes = results.evaluation.labels, results.dataset.classes
    predicted, confidence = probabilities.argmax(1), probabilities.max(1)
    wrong = np.flatnonzero(predicted != labels)
    worst = wrong[np.argsort(-confidence[wrong])][:MISTAKES_SHOWN]
    images = results.dataset.images[results.parts.test[worst]]
    return [
        report.Mistake(image, classes[labels[i]], classes[predicted[i]], float(confidence[i]))
        for image, i in zip(images, worst, strict=True)
    ]
