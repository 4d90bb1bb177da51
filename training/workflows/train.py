"""data ──▶ network ──▶ embeddings ──▶ head ──▶ evaluation ──▶ bundle: a training, top to bottom."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models.runtime.sessions import Embedder, Probabilities, cpu_session
from training.clean.findings.findings import drop, inspect
from training.data.dataset import Dataset
from training.data.seen_images import SEEN, WHY_FEWER, seen_file
from training.export.network_export import export_embedder
from training.heads.sources import make_sources
from training.network.embedding_cache import DEFAULT_ROOT, EmbeddingCache, embed_all
from training.network.fit import Fitted, fit
from training.network.head_sources import seen_sources
from training.network.presets import Recipe
from training.workflows.model_selection import HeadPlan, Material
from training.workflows.new_bundle import Network, conclude
from training.workflows.prepare import prepare
from training.workflows.results import CNN, LOGISTIC, Stopwatch, known_images

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
        DataError: the kind of head is not installed; the costs or limits name an unknown label; a class has no image
            to learn it from.
        ExportError: an exported graph does not compute what was fitted.
        ResumeError: `plan.resume` and there is nothing to resume from.
        OSError: the store cannot be written to.
    """
    plan.store.mkdir(parents=True, exist_ok=True)  # if that fails, then now and not after an hour
    watch = Stopwatch()
    seed = plan.head.seed
    with watch.step("find copies and split"):
        prepared = prepare(dataset, seed, plan.cache).checked()
    dataset, parts = prepared.dataset, prepared.parts
    fitted = fit(dataset, parts, plan.recipe, seed=seed, work=plan.work, resume=plan.resume)
    watch.seconds["fit the network"] = sum(fitted.history.seconds)  # of every session, if it was interrupted

    with watch.step("export the embedder"):
        sample = dataset.images[known_images(parts)[:_EXPORT_SAMPLE]]
        graph = export_embedder(fitted.network, fitted.network.classifier, sample)
        embedder = Embedder(cpu_session(graph))
    with watch.step("embed"):
        cache = EmbeddingCache(plan.cache, graph, dataset.input)
        embedding = embed_all(cache, embedder, dataset)
    with watch.step("look at the data"):
        findings = inspect(dataset, embedding, parts, prepared.copies, seed=seed).without_estimates()
        seen = np.isin(np.arange(len(dataset.labels)), parts.train)
        kept = drop(dataset, parts, findings, plan.head.drop, seen=seen, force=plan.head.force)
    with watch.step("embed variants"):
        seen_rows = seen_sources(dataset, kept, embedding, fitted.network, embedder, recipe=plan.recipe, seed=seed)
    unfitted = np.intersect1d(findings.doubtful(plan.head.drop), parts.validation)
    judged = np.union1d(kept.validation, unfitted)
    found = make_sources(dataset, embedding, judged, seen_rows, seed=seed, unfitted=unfitted)
    material = Material(dataset, kept, embedding, judged, found, cache, WHY_FEWER)
    network = Network(
        graph=graph,
        settings={
            "preset": plan.preset,
            "epochs": len(fitted.history.loss),
            "recipe": plan.recipe.as_settings(),
        },
        hardware=fitted.hardware,
        files={SEEN: seen_file(prepared.copies.hashes, parts.train)},
        history=fitted.history,
    )
    rivals = partial(_rivals, material, fitted)
    path = conclude(network, material, plan.head, rivals=rivals, findings=findings, watch=watch, store=plan.store)
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
