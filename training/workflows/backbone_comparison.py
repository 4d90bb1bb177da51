"""backbones and a data set ──▶ what each reaches on it, what an image costs, and which one to take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

from models.bundle.input_spec import InputSpec
from models.runtime.embedding_files import DEFAULT_ROOT
from models.runtime.sessions import Probabilities, cpu_session
from training.backbones.backbone import Backbone
from training.backbones.names import load_backbone
from training.data.dataset import Dataset
from training.exceptions import DataError
from training.export.network_export import export_embedder
from training.heads.head_fit import Fitting
from training.heads.registry import REGISTRY
from training.heads.selection.candidates import Candidate
from training.heads.selection.search import fit_heads
from training.network.embedding_cache import keeping
from training.quantization.variants import time_alone_ms
from training.stages.prepare import prepare
from training.stages.training_data import embed_images, label_embeddings
from training.workflows.new_bundle import known_images

CONFIDENCE = 0.95
"""Of the intervals."""
_EXPORT_SAMPLE = 32


@dataclass(frozen=True)
class Trial:
    """One backbone on a data set.

    Attributes:
        backbone: which one.
        candidate: a linear head on its embedding, with out-of-fold answers for the images that are no test images.
        accuracy: of those answers.
        interval: of the accuracy, at `CONFIDENCE`.
        ms_per_image: of the float32 graph on one thread of this machine.
        size_bytes: of the float32 graph.
    """

    backbone: Backbone
    candidate: Candidate
    accuracy: float
    interval: tuple[float, float]
    ms_per_image: float
    size_bytes: int


def compare_backbones(
    load: Callable[[InputSpec], Dataset], names: Sequence[str], *, seed: int, cache: Path = DEFAULT_ROOT
) -> list[Trial]:
    """Tries backbones on the same images with the same folds; test images are not looked at.

    Args:
        load: gives the data set with the images of a network's input.
        names: of the backbones.
        seed: of split and folds.
        cache: directory of the embeddings that are kept.

    Returns:
        The trials, in the order of the names.

    Raises:
        DataError: there is no such backbone, or a name is given twice.
        ExportError: an exported graph does not compute what the network computes.
    """
    if twice := [name for name in names if names.count(name) > 1]:
        raise DataError(f"backbone {twice[0]!r} is named twice")
    return [_try(load, load_backbone(name), seed, cache) for name in names]


def best_trial(trials: Sequence[Trial]) -> Trial:
    """The quickest of those that the best one does not clearly beat."""
    best = min(trials, key=lambda trial: trial.candidate.loss)
    as_good = [trial for trial in trials if trial is best or not best.candidate.clearly_beats(trial.candidate)]
    return min(as_good, key=lambda trial: trial.ms_per_image)


def _try(load: Callable[[InputSpec], Dataset], backbone: Backbone, seed: int, cache: Path) -> Trial:
    prepared = prepare(load(backbone.input), seed, cache).checked()
    dataset, network = prepared.dataset, backbone.network
    sample = dataset.images[known_images(prepared.parts)[:_EXPORT_SAMPLE]]
    graph = export_embedder(network, network.classifier, sample)
    embedded = embed_images(graph, dataset, cache)
    with keeping(embedded.embedding):
        data = label_embeddings(prepared, embedded, seed=seed)
        (source,) = data.sources.values()
        fitting = Fitting(len(dataset.classes), dataset.columns, seed)
        candidate = fit_heads([REGISTRY["logistic_regression"]], source, fitting)[0]
    accuracy, interval = _accuracy(candidate.answers, source.held_out.labels)
    ms = time_alone_ms({"fp32": cpu_session(graph)}, sample[:1])["fp32"]
    return Trial(backbone, candidate, accuracy, interval, ms, len(graph))


def _accuracy(answers: Probabilities, labels: np.ndarray) -> tuple[float, tuple[float, float]]:
    """Accuracy, and its interval by Wilson."""
    hits = int((answers.argmax(1) == labels).sum())
    found = binomtest(hits, len(labels)).proportion_ci(CONFIDENCE, "wilson")
    return hits / len(labels), (float(found.low), float(found.high))
