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

from models.sessions import Embedder, Probabilities, cpu_session
from training.clean.findings import drop, inspect
from training.dataset import Dataset
from training.embedding_cache import DEFAULT_ROOT, EmbeddingCache, embed_all
from training.export import export_embedder
from training.fit import Fitted, fit
from training.recipe import Recipe
from training.results import CNN, LOGISTIC, Results, Stopwatch, evaluate, known_images, write
from training.sources import judging_positions, lessons
from training.split import split
from training.teach import HeadPlan, Material, lesson_of, teach
from training.variants import Trial, calibration_images, make_variants

_EXPORT_SAMPLE = 2000


@dataclass(frozen=True)
class Plan:
    """What to train, how, and where to put it."""

    recipe: Recipe
    preset: str
    store: Path
    work: Path
    """Directory of the checkpoint, removed when the bundle is written."""
    head: HeadPlan
    resume: bool = False
    cache: Path = DEFAULT_ROOT
    """Where embeddings are kept."""


def train(dataset: Dataset, plan: Plan) -> Path:
    """Trains on a data set and writes a bundle; returns its directory.

    Raises:
        DataError: the kind of head is not installed; the costs name an unknown label.
        ExportError: an exported graph does not compute what was fitted.
        ResumeError: `plan.resume` and there is nothing to resume from.
        OSError: the store cannot be written to.
    """
    plan.store.mkdir(parents=True, exist_ok=True)  # if that fails, then now and not after an hour
    watch = Stopwatch()
    seed = plan.head.seed
    parts = split(dataset, seed)
    fitted = fit(dataset, parts, plan.recipe, seed=seed, work=plan.work, resume=plan.resume)
    watch.seconds["fit the network"] = sum(fitted.history.seconds)  # of every session, if it was interrupted

    known = known_images(parts)
    with watch.step("export the embedder"):
        sample = dataset.images[known[:_EXPORT_SAMPLE]]
        graph = export_embedder(fitted.network, fitted.network.classifier, sample)
        embedder = Embedder(cpu_session(graph))
    with watch.step("embed"):
        cache = EmbeddingCache(plan.cache, graph, dataset.input)
        embedding = embed_all(cache, embedder, dataset)
    with watch.step("look at the data"):
        findings = inspect(dataset, embedding, parts, seed=seed)
        parts = drop(dataset, parts, findings, plan.head.drop)
    with watch.step("fit the heads"):
        material = Material(
            dataset=dataset,
            parts=parts,
            embedding=embedding,
            sources=dict(lessons(dataset, parts, embedding, fitted.network, embedder, recipe=plan.recipe, seed=seed)),
            judge=lesson_of(dataset, embedding, judging_positions(parts)),
            cache=cache,
        )
        taught = teach(material, plan.head)
    with watch.step("evaluate"):
        evaluation = evaluate(taught.head, material.test, _rivals(material, fitted))
    with watch.step("make other precisions"):
        trial = Trial(dataset.images[parts.test], taught.head.head, material.test)
        variants = make_variants(graph, calibration_images(dataset.images, known, dataset.input), trial)
    results = Results(
        dataset=dataset,
        parts=parts,
        embedding_width=plan.recipe.embedding_width,
        head=taught.head,
        choices=taught.candidates,
        judged=len(material.judge),
        evaluation=evaluation,
        variants=variants,
        settings=_settings(plan, fitted, taught.candidates[0].name),
        seconds=watch.seconds,
        hardware=fitted.hardware,
        history=fitted.history,
        findings=findings,
    )
    path = write(results, plan.store)
    shutil.rmtree(plan.work)
    return path


def _rivals(material: Material, fitted: Fitted) -> dict[str, Probabilities]:
    """The network's own softmax and logistic regression, on the test images, `[T, K]` each."""
    dataset, parts, test = material.dataset, material.parts, material.test.embedding
    with torch.no_grad():
        softmax = torch.softmax(fitted.network.classifier(torch.from_numpy(test)), 1).numpy()
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    logistic.fit(material.embedding[parts.train], dataset.labels[parts.train])
    return {CNN: softmax, LOGISTIC: logistic.predict_proba(test).astype(np.float32)}


def _settings(plan: Plan, fitted: Fitted, head: str) -> dict[str, Any]:
    return {
        "preset": plan.preset,
        "seed": plan.head.seed,
        "epochs": len(fitted.history.loss),
        "head": head,
        **plan.head.as_settings(),
        "recipe": plan.recipe.as_settings(),
    }
