"""what a training found ──▶ manifest and report, and with the graphs the bundle."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.bundle import REPORT, Bundle
from models.golden import verify
from models.manifest import EMBEDDER_FILES, HeadSpec, Manifest
from models.sessions import Probabilities
from models.store import Store
from training import estimate_report, metrics, report
from training.bundle import choose_golden, golden_files, golden_spec, library_versions
from training.catalogue import CATALOGUE
from training.clean.findings import Findings
from training.clean.section import show
from training.dataset import Dataset
from training.finish import Finished
from training.heads import Candidate, Lesson
from training.images import Indices
from training.split import Split
from training.variants import Variants

if TYPE_CHECKING:
    from training.fit import History

HEAD_NAME = "category"
CNN = "CNN softmax"
ROWS = {kind.name: f"{kind.title} on the embedding" for kind in CATALOGUE.values()}
"""Names of the served row by the head's kind."""
LOGISTIC = ROWS["logistic_regression"]
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
    """What was found on the test images.

    Attributes:
        served: which of the rows is served.
        outputs: by name of the row, probabilities `[T, K]` or values `[T, 1]`.
        labels: class positions, int64 `[T]`, or numbers, float64 `[T]`.
        accepted: which answers of the served row nobody has to look at, `[T]`.
        unfamiliar: share of the images that are too far from those of training, in [0, 1].
    """

    served: str
    outputs: Mapping[str, Probabilities]
    labels: NDArray[Any]
    accepted: NDArray[np.bool_]
    unfamiliar: float

    def scores(self) -> dict[str, metrics.Scores]:
        """Accuracy, log loss and calibration error of each row."""
        return {name: metrics.score(values, self.labels) for name, values in self.outputs.items()}

    def errors(self) -> dict[str, metrics.Errors]:
        """How far off the numbers of each row are."""
        return {name: metrics.errors(values, self.labels) for name, values in self.outputs.items()}


def evaluate(head: Finished, test: Lesson, rivals: Mapping[str, Probabilities], *, suffix: str = "") -> Evaluation:
    """What a head answers on the test images, beside what others do."""
    row = ROWS.get(head.spec.kind, head.spec.kind) + suffix
    found = head.head(test.embedding, test.rows)
    limit = head.spec.policy.max_distance
    far = head.distances(test.embedding) > limit if limit is not None else np.zeros(len(test), bool)
    return Evaluation(
        served=row,
        outputs={**rivals, row: found},
        labels=test.labels,
        accepted=head.accepts(found, test.embedding, test.rows),
        unfamiliar=float(far.mean()) if len(far) else 0.0,
    )


@dataclass(frozen=True)
class Results:
    """All that a training found.

    Attributes:
        dataset: images and labels.
        parts: how they were split.
        embedding_width: columns of the embedding.
        head: as it is served.
        choices: the candidates for the head, the chosen one first.
        judged: how many validation images they were judged on.
        evaluation: on the test images.
        variants: the embedder in every precision that was kept.
        settings: what the manifest tells of the training.
        seconds: of each step.
        hardware: what it ran on.
        history: of the network's training; None where it was not trained.
        findings: what is wrong with the data; None where nobody looked.
    """

    dataset: Dataset
    parts: Split
    embedding_width: int
    head: Finished
    choices: list[Candidate]
    judged: int
    evaluation: Evaluation
    variants: Variants
    settings: Mapping[str, Any]
    seconds: Mapping[str, float]
    hardware: str
    history: History | None = None
    findings: Findings | None = None


def write(results: Results, root: Path) -> Path:
    """Writes the bundle as the next version of its name into the store at `root`, and checks it there."""
    store = Store(root)
    golden = choose_golden(results.dataset, known_images(results.parts))
    images = results.dataset.images[golden]
    graphs = results.variants.graphs
    files = {
        **{EMBEDDER_FILES[precision]: graph for precision, graph in graphs.items()},
        **results.head.files,
        **golden_files(images, graphs, results.head, results.dataset.beside(golden)),
    }
    manifest = _manifest(results, store.next_version(results.dataset.name), len(images))
    path = store.add(manifest, {**files, REPORT: report_page(results, manifest, files)})
    verify(Bundle.open(path))
    return path


def known_images(parts: Split) -> Indices:
    """All that a training may look at; very small data sets have no validation images."""
    return np.concatenate([parts.validation, parts.train])


def measured_head(results: Results) -> HeadSpec:
    """The head's entry in the manifest, with its figures on the test images."""
    evaluation = results.evaluation
    figures = {f"test_{name}": value for name, value in _served_figures(results).items()}
    if results.dataset.classes:
        rows = evaluation.scores()
        figures |= {
            metric: rows[name].accuracy for name, metric in RIVALS.items() if name in rows and name != evaluation.served
        }
    accepted = evaluation.accepted
    figures["test_accepted"] = float(accepted.mean())
    if results.dataset.classes and accepted.any():
        hits = evaluation.outputs[evaluation.served].argmax(1) == evaluation.labels
        figures["test_accepted_accuracy"] = float(hits[accepted].mean())
    rounded = {name: round(value, 6) for name, value in figures.items() if math.isfinite(value)}
    return results.head.spec.model_copy(update={"metrics": rounded})


def _served_figures(results: Results) -> dict[str, float]:
    evaluation, spec = results.evaluation, results.head.spec
    if results.dataset.classes:
        return asdict(evaluation.scores()[evaluation.served])
    off = np.abs(evaluation.outputs[evaluation.served][:, 0] - evaluation.labels)
    covered = {} if spec.interval is None else {"interval_coverage": float((off <= spec.interval).mean())}
    return asdict(evaluation.errors()[evaluation.served]) | covered


def image_counts(parts: Split) -> dict[str, int]:
    """How many images each part has, as the manifest tells it."""
    return {"train": len(parts.train), "validation": len(parts.validation), "test": len(parts.test)}


def _manifest(results: Results, version: int, golden_count: int) -> Manifest:
    return Manifest(
        name=results.dataset.name,
        version=version,
        created=datetime.now(UTC).replace(microsecond=0),
        task=results.dataset.task,
        input=results.dataset.input,
        embedding_width=results.embedding_width,
        precisions=results.variants.precisions,
        variants=results.variants.specs,
        heads=(measured_head(results),),
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
    """The report on a head of a bundle of these files."""
    if not results.dataset.classes:
        return estimate_report.render(_estimate_report(results, manifest, files))
    evaluation = results.evaluation
    served = evaluation.outputs[evaluation.served]
    shown = report.Report(
        **_common(results, manifest, files),
        classes=results.dataset.classes,
        scores=evaluation.scores(),
        confusion=metrics.confusion(served, evaluation.labels),
        reliability=metrics.reliability(served, evaluation.labels),
        coverage=_coverage(results, served),
        history=results.history,
        mistakes=_mistakes(results, served),
        variants=results.variants.specs,
    )
    return report.render(shown)


def _common(results: Results, manifest: Manifest, files: Mapping[str, bytes]) -> dict[str, Any]:
    """What the reports on classes and on numbers both tell."""
    parts = results.parts
    return {
        "model": manifest.model,
        "created": manifest.created,
        "hardware": results.hardware,
        "head": results.head.spec.name,
        "settings": results.settings,
        "counts": report.Counts(len(parts.train), len(parts.validation), len(parts.test)),
        "served": results.evaluation.served,
        "steps": results.seconds,
        "sizes": {name: len(data) for name, data in files.items()},
        "head_choices": [
            report.HeadChoice(choice.name, _judged_figures(choice), choice is results.choices[0])
            for choice in results.choices
        ],
        "judged": results.judged,
        "skipped": results.dataset.skipped,
        "findings": show(results.dataset, results.findings) if results.findings is not None else None,
    }


def _judged_figures(choice: Candidate) -> dict[str, float]:
    if isinstance(choice.scores, metrics.Scores):
        return {"log loss": choice.scores.log_loss, "accuracy": choice.scores.accuracy}
    return {"RMSE": choice.scores.rmse, "MAE": choice.scores.mae}


def _estimate_report(
    results: Results, manifest: Manifest, files: Mapping[str, bytes]
) -> estimate_report.EstimateReport:
    evaluation, spec = results.evaluation, results.head.spec
    values = evaluation.outputs[evaluation.served][:, 0].astype(np.float64)
    off = np.abs(values - evaluation.labels)
    worst = np.argsort(-off)[:MISTAKES_SHOWN]
    images = results.dataset.images[results.parts.test[worst]]
    return estimate_report.EstimateReport(
        **_common(results, manifest, files),
        errors=evaluation.errors(),
        values=values,
        truths=evaluation.labels.astype(np.float64),
        interval=spec.interval,
        accepted_share=float(evaluation.accepted.mean()),
        misses=[
            estimate_report.Miss(image, float(evaluation.labels[i]), float(values[i]))
            for image, i in zip(images, worst, strict=True)
        ],
    )


def _coverage(results: Results, probabilities: Probabilities) -> report.Coverage:
    evaluation, policy = results.evaluation, results.head.spec.policy
    accepted, hits = evaluation.accepted, probabilities.argmax(1) == evaluation.labels
    return report.Coverage(
        min_confidence=None if policy.min_confidence_of else policy.min_confidence,
        max_distance=policy.max_distance,
        accepted_share=float(accepted.mean()),
        accepted_accuracy=float(hits[accepted].mean()) if accepted.any() else float("nan"),
        unfamiliar_share=evaluation.unfamiliar,
        confidence=probabilities.max(1),
        hits=hits,
    )


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
