"""data ──▶ network ──▶ embeddings ──▶ head ──▶ evaluation ──▶ bundle."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models.runtime.embedding_files import DEFAULT_ROOT
from models.runtime.sessions import Embedder, Probabilities, cpu_session
from training.data.dataset import Dataset
from training.data.seen_images import SEEN, seen_file
from training.export.network_export import export_embedder
from training.network.augmentation import augmented_rows
from training.network.fit import Fitted, fit
from training.network.presets import Hyperparameters
from training.progress import Stopwatch
from training.stages.evaluation import CNN, LOGISTIC
from training.stages.head_plan import HeadPlan
from training.stages.model_selection import select_head
from training.stages.prepare import Prepared, drop_faults, find_faults, prepare
from training.stages.training_data import TrainingData, embed_images, label_embeddings
from training.workflows.new_bundle import Model, Network, known_images, make_bundle

_EXPORT_SAMPLE = 2000


@dataclass(frozen=True)
class TrainPlan:
    """How to train a network and its head, and where to write the bundle.

    Attributes:
        hyperparameters: of the network and its training.
        preset: their name in the manifest.
        store: directory of the store.
        work: directory of the checkpoint; removed once the bundle is written.
        head: which head to fit.
        resume: whether to continue from the checkpoint.
        cache: directory of the embeddings that are kept.
    """

    hyperparameters: Hyperparameters
    preset: str
    store: Path
    work: Path
    head: HeadPlan
    resume: bool = False
    cache: Path = DEFAULT_ROOT


def train(dataset: Dataset, plan: TrainPlan) -> Path:
    """Trains on a data set and writes a bundle; returns its directory.

    Raises:
        DataError: the kind of head is not installed; a policy target names an unknown class; a class has no image to
            learn it from.
        ExportError: an exported graph does not compute what the fitted model computes.
        ResumeError: `plan.resume` is set and there is nothing to resume from.
        OSError: the store cannot be written to.
    """
    plan.store.mkdir(parents=True, exist_ok=True)  # an unwritable store fails now, not after an hour
    watch, seed, settings = Stopwatch(), plan.head.seed, plan.hyperparameters
    with watch.step("find copies and split"):
        prepared = prepare(dataset, seed, plan.cache).checked()
    fitted = fit(prepared.dataset, prepared.parts, settings, seed=seed, work=plan.work, resume=plan.resume)
    watch.seconds["fit the network"] = fitted.seconds  # also those before an interruption
    prepared = _with_seen(prepared)
    files = {SEEN: seen_file(prepared.copies.hashes, prepared.parts.train)}
    with watch.step("export the embedder"):
        sample = prepared.dataset.images[known_images(prepared.parts)[:_EXPORT_SAMPLE]]
        graph = export_embedder(fitted.network, fitted.network.classifier, sample)
    with watch.step("embed"):
        embedded = embed_images(graph, prepared.dataset, plan.cache)
    with watch.step("look at the data"):
        findings = find_faults(prepared, embedded.embedding, seed).without_estimates()
        prepared = drop_faults(prepared, findings, plan.head.drop, force=plan.head.force)
    with watch.step("embed variants"):
        embedder = Embedder(cpu_session(graph))
        rows = augmented_rows(prepared.dataset, prepared.parts, fitted.network, embedder, settings, seed=seed)
        data = label_embeddings(prepared, embedded, seed=seed, augmented={"augmented training images": rows})
    network = Network(graph, _settings(plan, fitted), fitted.hardware, files, fitted.history, _baselines(data, fitted))
    with watch.step("fit the heads"):
        model = Model(network, data, select_head(data, plan.head))
    path = make_bundle(model, plan.head, findings, watch=watch, store=plan.store)
    shutil.rmtree(plan.work)
    return path


def _with_seen(prepared: Prepared) -> Prepared:
    """Marks the training images as seen by the network."""
    return replace(prepared, seen=np.isin(np.arange(len(prepared.dataset.labels)), prepared.parts.train))


def _settings(plan: TrainPlan, fitted: Fitted) -> dict[str, object]:
    """What the manifest says of the network."""
    return {
        "preset": plan.preset,
        "epochs": len(fitted.history.loss),
        "recipe": plan.hyperparameters.as_settings(),
    }


def _baselines(data: TrainingData, fitted: Fitted) -> dict[str, Probabilities]:
    """Answers of the network's own softmax and of logistic regression on the test images, float32 `[T, K]` each."""
    train, test = data.parts.train, data.test.embedding
    with torch.no_grad():
        softmax = torch.softmax(fitted.network.classifier(torch.from_numpy(test)), 1).numpy()
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    logistic.fit(data.embedding[train], data.dataset.labels[train])
    return {CNN: softmax, LOGISTIC: logistic.predict_proba(test).astype(np.float32)}
