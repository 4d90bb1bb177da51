"""data ──▶ network ──▶ embeddings ──▶ head ──▶ evaluation ──▶ bundle: a training, top to bottom."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models.sessions import Embedder, Embedding, Head, Probabilities, cpu_session
from training.dataset import Dataset, Split, split
from training.export import export_embedder, export_head
from training.fit import Fitted, fit
from training.heads import KIND, Candidate, embed, fit_candidates
from training.recipe import Recipe
from training.results import (
    BOOSTING,
    CNN,
    LOGISTIC,
    Evaluation,
    Results,
    Stopwatch,
    head_spec,
    known_images,
    write,
)
from training.variants import Trial, calibration_images, make_variants

_EXPORT_SAMPLE = 2000


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

    known = known_images(parts)
    with watch.step("export the embedder"):
        sample = dataset.images[known[:_EXPORT_SAMPLE]]
        graph = export_embedder(fitted.network, fitted.network.classifier, sample)
        embedder = Embedder(cpu_session(graph))
    with watch.step("fit the heads"):
        candidates, judge = fit_candidates(dataset, parts, fitted.network, embedder, recipe=plan.recipe, seed=plan.seed)
    with watch.step("export the head"):
        spec = head_spec(KIND, dataset.classes, candidates[0], judge, plan.target_precision)
        head_graph = export_head(candidates[0].head, spec, embed(embedder, sample, "embedding a sample"))
        head = Head(cpu_session(head_graph), spec)
    with watch.step("evaluate"):
        test = embed(embedder, dataset.images[parts.test], "embedding test images")
        rivals = _rivals(dataset, parts, fitted, embedder, test)
        evaluation = Evaluation(BOOSTING, {**rivals, BOOSTING: head(test)}, dataset.labels[parts.test])
    with watch.step("make other precisions"):
        trial = Trial(dataset.images[parts.test], dataset.labels[parts.test], head, test)
        variants = make_variants(graph, calibration_images(dataset.images, known, dataset.input), trial)
    results = Results(
        dataset=dataset,
        parts=parts,
        embedding_width=plan.recipe.embedding_width,
        head=spec,
        head_graph=head_graph,
        choices=candidates,
        judged=len(judge.labels),
        evaluation=evaluation,
        variants=variants,
        settings=_settings(plan, fitted, candidates[0]),
        seconds=watch.seconds,
        hardware=fitted.hardware,
        history=fitted.history,
    )
    path = write(results, plan.store)
    shutil.rmtree(plan.work)
    return path


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


def _settings(plan: Plan, fitted: Fitted, chosen: Candidate) -> dict[str, Any]:
    return {
        "preset": plan.preset,
        "seed": plan.seed,
        "epochs": len(fitted.history.loss),
        "head fitted on": chosen.name,
        "target precision": plan.target_precision,
        "recipe": plan.recipe.as_settings(),
    }
