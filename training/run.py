"""data ──▶ network ──▶ embeddings ──▶ head ──▶ evaluation ──▶ bundle: a training, top to bottom."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models.bundle import REPORT, Bundle
from models.golden import verify
from models.manifest import HeadSpec, Manifest
from models.policy import Policy
from models.sessions import Embedder, Embedding, Head, Probabilities, cpu_session
from models.store import Store
from training import metrics, report
from training.bundle import choose_golden, golden_files, golden_spec, library_versions
from training.dataset import Dataset, Labels, Split, split
from training.export import export_embedder, export_head
from training.fit import Fitted, fit
from training.heads import KIND, Candidate, Judge, embed, fit_candidates
from training.recipe import Recipe

HEAD_NAME = "category"
CNN = "CNN softmax"
LOGISTIC = "logistic regression on the embedding"
SERVED = "gradient boosting on the embedding"

_EXPORT_SAMPLE = 2000
_MISTAKES_SHOWN = 24


@dataclass(frozen=True)
class Plan:
    """What to train, how, and where to put it."""

    recipe: Recipe
    preset: str
    seed: int
    store: Path
    work: Path
    """Directory of the checkpoint, removed when the bundle is written."""
    target_precision: float = 0.99
    """Share of right answers that accepted predictions should reach, on validation images."""
    resume: bool = False


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
    """Probabilities `[T, K]` of the served hybrid and of its two rivals on the test images, by row name."""

    probabilities: dict[str, Probabilities]
    labels: Labels

    def scores(self) -> dict[str, metrics.Scores]:
        """Accuracy, log loss and calibration error of each row."""
        return {name: metrics.score(values, self.labels) for name, values in self.probabilities.items()}


def train(dataset: Dataset, plan: Plan) -> Path:
    """Trains on a data set and writes a bundle; returns its directory.

    Raises:
        ExportError: an exported graph does not compute what was fitted.
        ResumeError: `plan.resume` and there is nothing to resume from.
        OSError: the store cannot be written to.
    """
    plan.store.mkdir(parents=True, exist_ok=True)  # if that fails, then now and not after an hour
    watch = Stopwatch()
    parts = split(dataset, plan.seed)
    fitted = fit(dataset, parts, plan.recipe, seed=plan.seed, work=plan.work, resume=plan.resume)
    watch.seconds["fit the network"] = sum(fitted.history.seconds)  # of every session, if it was interrupted

    known = np.concatenate([parts.validation, parts.train])  # very small data sets have no validation images
    with watch.step("export the embedder"):
        sample = dataset.images[known[:_EXPORT_SAMPLE]]
        embedder_graph = export_embedder(fitted.network, sample)
    with watch.step("fit the heads"):
        embedder = Embedder(cpu_session(embedder_graph))
        candidates, judge = fit_candidates(dataset, parts, fitted.network, embedder, recipe=plan.recipe, seed=plan.seed)
    with watch.step("export the head"):
        spec = _head_spec(dataset, candidates[0], judge, plan.target_precision)
        head_graph = export_head(candidates[0].head, spec, embed(embedder, sample, "embedding a sample"))
    with watch.step("evaluate"):
        head = Head(cpu_session(head_graph), spec)
        test = embed(embedder, dataset.images[parts.test], "embedding test images")
        rivals = _rivals(dataset, parts, fitted, embedder, test)
        evaluation = Evaluation({**rivals, SERVED: head(test)}, dataset.labels[parts.test])
    with watch.step("write the bundle"):
        golden = choose_golden(dataset, known)
        files = {
            "embedder.onnx": embedder_graph,
            spec.file: head_graph,
            **golden_files(dataset.images[golden], embedder, [head]),
        }
    results = Results(dataset, plan, parts, fitted, spec, candidates, evaluation, watch.seconds, len(golden))
    path = write(results, files)
    verify(Bundle.open(path))
    shutil.rmtree(plan.work)
    return path


@dataclass(frozen=True)
class Results:
    """All that a training found, for manifest and report."""

    dataset: Dataset
    plan: Plan
    parts: Split
    fitted: Fitted
    head: HeadSpec
    candidates: list[Candidate]
    evaluation: Evaluation
    seconds: dict[str, float]
    golden_count: int


def write(results: Results, files: dict[str, bytes]) -> Path:
    """Adds manifest and report, and writes the bundle to the store."""
    store = Store(results.plan.store)
    manifest = _manifest(results, store.next_version(results.dataset.name))
    sizes = {name: len(data) for name, data in files.items()}
    page = report.render(_report(results, manifest, sizes))
    return store.add(manifest, {**files, REPORT: page})


def _head_spec(dataset: Dataset, candidate: Candidate, judge: Judge, target_precision: float) -> HeadSpec:
    threshold = metrics.choose_min_confidence(judge.probabilities(candidate.head), judge.labels, target_precision)
    return HeadSpec(
        name=HEAD_NAME, kind=KIND, classes=dataset.classes, policy=Policy(min_confidence=round(threshold, 4))
    )


def _rivals(
    dataset: Dataset, parts: Split, fitted: Fitted, embedder: Embedder, test: Embedding
) -> dict[str, Probabilities]:
    """The network's own softmax and logistic regression, on the test embeddings `[T, D]`."""
    with torch.no_grad():
        softmax = torch.softmax(fitted.network.classifier(torch.from_numpy(test)), 1).numpy()
    train = embed(embedder, dataset.images[parts.train], "embedding training images")
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    logistic.fit(train, dataset.labels[parts.train])
    return {CNN: softmax, LOGISTIC: logistic.predict_proba(test).astype(np.float32)}


def _manifest(results: Results, version: int) -> Manifest:
    dataset, plan = results.dataset, results.plan
    scores = results.evaluation.scores()
    figures = {
        "test_accuracy": scores[SERVED].accuracy,
        "test_log_loss": scores[SERVED].log_loss,
        "test_ece": scores[SERVED].ece,
        "test_accuracy_cnn_softmax": scores[CNN].accuracy,
        "test_accuracy_logistic_regression": scores[LOGISTIC].accuracy,
    }
    return Manifest(
        name=dataset.name,
        version=version,
        created=datetime.now(UTC).replace(microsecond=0),
        input=dataset.input,
        embedding_width=plan.recipe.embedding_width,
        heads=(results.head.model_copy(update={"metrics": {k: round(v, 6) for k, v in figures.items()}}),),
        golden=golden_spec(results.golden_count),
        data_fingerprint=dataset.fingerprint(),
        training=_settings(results),
        libraries=library_versions(),
        files={},
    )


def _settings(results: Results) -> dict[str, Any]:
    parts = results.parts
    return {
        "preset": results.plan.preset,
        "seed": results.plan.seed,
        "epochs": len(results.fitted.history.loss),
        "images": {"train": len(parts.train), "validation": len(parts.validation), "test": len(parts.test)},
        "head fitted on": results.candidates[0].source,
        "target precision": results.plan.target_precision,
        "hardware": results.fitted.hardware,
        "seconds": {name: round(seconds, 1) for name, seconds in results.seconds.items()},
        "recipe": results.plan.recipe.as_settings(),
    }


def _report(results: Results, manifest: Manifest, sizes: dict[str, int]) -> report.Report:
    parts, evaluation = results.parts, results.evaluation
    served = evaluation.probabilities[SERVED]
    return report.Report(
        model=manifest.model,
        created=manifest.created,
        classes=results.dataset.classes,
        hardware=results.fitted.hardware,
        settings=manifest.training,
        counts=report.Counts(len(parts.train), len(parts.validation), len(parts.test)),
        scores=evaluation.scores(),
        served=SERVED,
        confusion=metrics.confusion(served, evaluation.labels),
        reliability=metrics.reliability(served, evaluation.labels),
        coverage=_coverage(served, evaluation.labels, results.head.policy.min_confidence),
        history=results.fitted.history,
        steps=results.seconds,
        sizes=sizes,
        mistakes=_mistakes(results, served),
        head_choices=[
            report.HeadChoice(c.source, c.scores.log_loss, c.scores.accuracy, c is results.candidates[0])
            for c in results.candidates
        ],
        skipped=results.dataset.skipped,
    )


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
    worst = wrong[np.argsort(-confidence[wrong])][:_MISTAKES_SHOWN]
    images = results.dataset.images[results.parts.test]
    return [report.Mistake(images[i], classes[labels[i]], classes[predicted[i]], float(confidence[i])) for i in worst]
