"""a split of a data set ──▶ `Figures` of every way to a decision, on test images that chose nothing.

`proof_page` says what the ways are. Those without Tandem accept what is above a threshold at which the target was
reached on a validation set: what people do.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from models.bundle.loading import Bundle
from models.runtime.engine import Engine
from models.runtime.engine_types import EngineInput
from models.runtime.head_answers import Classified, answer_head
from models.runtime.sessions import Embedder, Embedding, Probabilities, cpu_session
from tools.proof.proof_page import (
    AS_IT_IS,
    DEFAULT_BUNDLE,
    MOST_ROWS,
    NETWORK,
    SCIKIT_LEARN,
    TANDEM,
    TARGET,
    Figures,
)
from training.backbones.names import DEFAULT, load_backbone
from training.compare.image_features import gradients
from training.data.dataset import Dataset
from training.data.images import Indices, select
from training.data.split import make_folds
from training.export.network_export import export_embedder
from training.network.embedding_cache import embed
from training.policy.policies import PolicyTargets
from training.stages.head_plan import HeadPlan
from training.stages.prepare import Prepared
from training.tuning.tune import Tuned, tune
from training.tuning.tuning_plan import TuningPlan
from training.workflows.new_bundle import known_images
from training.workflows.transfer import TransferPlan, Tuner, transfer

_BATCH = 32
_TIMED = 20
_EXPORT_SAMPLE = 32
_COMPONENTS = 200


def ways(prepared: Prepared, seed: int, plan: TuningPlan) -> Iterator[tuple[str, Figures]]:
    """Measures every way on one split."""
    yield AS_IT_IS, _tandem(prepared.dataset, prepared.parts.test, seed, TuningPlan("off"))
    tuned = list[tuple[Tuned, float]]()

    def remembering(*given: Any, **more: Any) -> Tuned:
        began = time.perf_counter()
        found = tune(*given, **more)
        tuned.append((found, time.perf_counter() - began))
        return found

    yield TANDEM, _tandem(prepared.dataset, prepared.parts.test, seed, plan, remembering)
    for found, seconds in tuned:  # none, where the time was too short
        yield NETWORK, _network_alone(prepared, found, seconds)
    yield SCIKIT_LEARN, _scikit_learn_alone(prepared, prepared.parts.test, seed, TARGET)


def default_bundle_ways(prepared: Prepared, bundle: Bundle) -> Iterator[tuple[str, Figures]]:
    """Measures the default bundle, and scikit-learn alone, on test images without copies among the others."""
    engine, test = Engine.load(bundle.path), np.setdiff1d(prepared.parts.test, prepared.parts.copied)
    yield DEFAULT_BUNDLE, _served(engine, prepared.dataset, test)
    target = float(bundle.manifest.training_of(bundle.manifest.default_head.name)["target precision"])
    yield SCIKIT_LEARN, _scikit_learn_alone(prepared, test, 0, target)


def _tandem(dataset: Dataset, test: Indices, seed: int, plan: TuningPlan, tuner: Tuner = tune) -> Figures:
    """Trains a bundle, with no embedding kept from before, and answers by the engine that serves it."""
    with tempfile.TemporaryDirectory() as folder:
        head = HeadPlan("auto", targets=PolicyTargets(target_precision=TARGET), seed=seed)
        began = time.perf_counter()
        where = TransferPlan(Path(folder) / "store", DEFAULT, head, Path(folder) / "cache", plan)
        path = transfer(dataset, load_backbone(DEFAULT).network, where, tuner)
        seconds = time.perf_counter() - began
        note = Bundle.open(path).manifest.training.get("tuning", {}).get("result", "")
        engine = Engine.load(path)
    return replace(_served(engine, dataset, test), seconds=seconds, note=note)


def _served(engine: Engine, dataset: Dataset, test: Indices) -> Figures:
    """Answers by the first head of a bundle."""
    spec = engine.manifest.heads[0]
    answers = list[Classified]()
    for start in range(0, len(test), _BATCH):
        positions = test[start : start + _BATCH]
        rows = dataset.beside(positions) or [{}] * len(positions)
        asked = [{spec.name: spec.check_columns(row)} for row in rows]
        inputs = [EngineInput(one, columns) for one, columns in zip(dataset.images[positions], asked, strict=True)]
        for result in engine.run(inputs, [0.0] * len(inputs)):
            answer = answer_head(result.decisions[spec.name], spec)
            assert isinstance(answer, Classified)
            answers.append(answer)
    return Figures(
        np.array([answer.label for answer in answers]) == np.array(spec.classes)[dataset.labels[test]],
        np.array([answer.decision == "accept" for answer in answers]),
        float(np.mean(["unfamiliar" in answer.reasons for answer in answers])),
        None,
        1e6 * engine.image_s,
    )


def _network_alone(prepared: Prepared, tuned: Tuned, tuned_s: float) -> Figures:
    """Answers by the tuned network's softmax; images that it has not seen choose the threshold."""
    dataset, parts = prepared.dataset, prepared.parts
    began = time.perf_counter()
    sample = dataset.images[known_images(parts)[:_EXPORT_SAMPLE]]
    graph = export_embedder(tuned.network, tuned.network.classifier, sample)

    def answers(embedding: Embedding) -> Probabilities:
        logits = tuned.network.classifier(torch.from_numpy(embedding))
        return np.asarray(softmax(logits.numpy(), axis=1), np.float32)

    def embedded(positions: Indices) -> Embedding:
        return embed(fast, select(dataset.images, positions), "embedding")

    fast, alone = Embedder(cpu_session(graph, threads=os.cpu_count() or 1)), Embedder(cpu_session(graph))
    validation = np.setdiff1d(parts.known, tuned.seen)
    threshold = plain_threshold(answers(embedded(validation)), dataset.labels[validation], TARGET)
    seconds = tuned_s + time.perf_counter() - began
    found, image = answers(embedded(parts.test)), dataset.images[parts.test[:1]]
    decision_us = _median_us(lambda: answers(alone(image)))
    return _figures(found, dataset.labels[parts.test], threshold, seconds, decision_us)


def _scikit_learn_alone(prepared: Prepared, test: Indices, seed: int, target: float) -> Figures:
    """Fits a support vector machine on gradients; a fifth of the images chooses the threshold."""
    dataset, labels = prepared.dataset, prepared.dataset.labels
    known = np.sort(np.random.default_rng(seed).permutation(prepared.parts.known)[:MOST_ROWS])
    folds = make_folds(dataset.strata[known], dataset.unit[known], 5, seed)
    fit, validation = known[folds > 0], known[folds == 0]
    began = time.perf_counter()

    def features(positions: Indices) -> NDArray[np.float32]:
        batches = [positions[start : start + _BATCH] for start in range(0, len(positions), _BATCH)]
        return np.concatenate([gradients(dataset.images[batch]) for batch in batches])

    inner = PredefinedSplit(make_folds(dataset.strata[fit], dataset.unit[fit], 3, seed))
    machine = make_pipeline(PCA(min(_COMPONENTS, len(fit) // 2), random_state=seed), SVC())  # fewer than a fold's rows
    rows = features(fit)
    best = GridSearchCV(machine, {"svc__C": [1.0, 10.0, 100.0]}, cv=inner, refit=False).fit(rows, labels[fit])
    model = CalibratedClassifierCV(machine.set_params(**best.best_params_), cv=inner, ensemble=False)
    model.fit(rows, labels[fit])
    threshold = plain_threshold(model.predict_proba(features(validation)), labels[validation], target)
    seconds = time.perf_counter() - began
    answers, image = model.predict_proba(features(test)), dataset.images[test[:1]]
    with threadpool_limits(1):
        decision_us = _median_us(lambda: model.predict_proba(gradients(image)))
    return _figures(answers, labels[test], threshold, seconds, decision_us)


def plain_threshold(answers: Probabilities, labels: NDArray[np.int64], target: float) -> float:
    """The lowest confidence from which on the target is reached on a validation set; infinity if there is none."""
    confidence, hits = answers.max(1), answers.argmax(1) == labels
    order = np.argsort(-confidence)
    right, sure = np.cumsum(hits[order]) / np.arange(1, len(order) + 1), confidence[order]
    is_last = np.append(sure[1:] < sure[:-1], True)  # of equally confident answers, which are accepted together
    reached = np.flatnonzero((right >= target) & is_last)
    return float(sure[reached[-1]]) if len(reached) else np.inf


def _figures(
    answers: Probabilities, labels: NDArray[np.int64], threshold: float, seconds: float, decision_us: float
) -> Figures:
    return Figures(answers.argmax(1) == labels, answers.max(1) >= threshold, None, seconds, decision_us)


def _median_us(run: Callable[[], object]) -> float:
    took = []
    for _ in range(_TIMED):
        began = time.perf_counter()
        run()
        took.append(time.perf_counter() - began)
    return 1e6 * float(np.median(took))
