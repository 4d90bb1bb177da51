"""data ──▶ embeddings of a frozen network ──▶ head ──▶ evaluation ──▶ bundle: top to bottom, in minutes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.sessions import Embedder, Head, cpu_session
from training.dataset import Dataset, split
from training.export import export_embedder, export_head
from training.heads import Judge, embed
from training.images import select
from training.linear import KIND, fit_candidates
from training.pretrained import Frozen
from training.results import LOGISTIC, Evaluation, Results, Stopwatch, head_spec, known_images, write
from training.variants import Trial, calibration_images, make_variants

_EXPORT_SAMPLE = 32


@dataclass(frozen=True)
class Transfer:
    """How to fit a head on a frozen network's embeddings, and where to put it."""

    seed: int
    store: Path
    network_name: str
    """What the manifest calls the network."""
    target_precision: float = 0.99
    """Share of right answers that accepted predictions should reach, on validation images."""


def transfer(dataset: Dataset, network: Frozen, plan: Transfer) -> Path:
    """Fits a head on a data set and writes a bundle; returns its directory.

    Args:
        dataset: images as the network takes them, and labels.
        network: in evaluation mode, on the CPU; it never saw these labels.
        plan: the rest.

    Raises:
        ExportError: an exported graph does not compute what was fitted.
        ClientError, OSError: an image changed since it was first read; the store cannot be written to.
    """
    plan.store.mkdir(parents=True, exist_ok=True)  # if that fails, then now and not after minutes
    watch = Stopwatch()
    parts = split(dataset, plan.seed)
    known, labels = known_images(parts), dataset.labels
    with watch.step("export the embedder"):
        sample = dataset.images[known[:_EXPORT_SAMPLE]]
        graph = export_embedder(network, network.classifier, sample)
        embedder = Embedder(cpu_session(graph, threads=os.cpu_count() or 1))
    with watch.step("embed"):
        train, validation, test = (
            embed(embedder, select(dataset.images, positions), f"embedding {name} images")
            for name, positions in vars(parts).items()
        )
    with watch.step("fit the heads"):
        judge = Judge(validation, labels[parts.validation])
        candidates = fit_candidates(train, labels[parts.train], judge)
    with watch.step("export the head"):
        spec = head_spec(KIND, dataset.classes, candidates[0], judge, plan.target_precision)
        head_graph = export_head(candidates[0].head, spec, np.concatenate([validation, train]))
        head = Head(cpu_session(head_graph), spec)
    with watch.step("evaluate"):
        evaluation = Evaluation(LOGISTIC, {LOGISTIC: head(test)}, labels[parts.test])
    with watch.step("make other precisions"):
        trial = Trial(select(dataset.images, parts.test), labels[parts.test], head, test)
        variants = make_variants(graph, calibration_images(dataset.images, known, dataset.input), trial)
    results = Results(
        dataset=dataset,
        parts=parts,
        embedding_width=test.shape[1],
        head=spec,
        head_graph=head_graph,
        choices=candidates,
        judged=len(judge.labels),
        evaluation=evaluation,
        variants=variants,
        settings={
            "network": plan.network_name,
            "seed": plan.seed,
            "head": candidates[0].name,
            "target precision": plan.target_precision,
        },
        seconds=watch.seconds,
        hardware=f"{os.cpu_count()} CPU cores",
    )
    return write(results, plan.store)
