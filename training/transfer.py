"""data ──▶ embeddings of a frozen network ──▶ head ──▶ evaluation ──▶ bundle: top to bottom, in minutes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from models.sessions import Embedder, cpu_session
from training.clean.findings import drop, inspect
from training.dataset import Dataset
from training.embedding_cache import DEFAULT_ROOT, EmbeddingCache, embed_all
from training.export import export_embedder
from training.images import select
from training.pretrained import Frozen
from training.results import Results, Stopwatch, evaluate, known_images, write
from training.split import split
from training.teach import HeadPlan, Material, alone, lesson_of, teach
from training.variants import Trial, calibration_images, make_variants

_EXPORT_SAMPLE = 32


@dataclass(frozen=True)
class Transfer:
    """How to fit a head on a frozen network's embeddings, and where to put it."""

    store: Path
    network_name: str
    """What the manifest calls the network."""
    head: HeadPlan
    cache: Path = DEFAULT_ROOT
    """Where embeddings are kept."""


def transfer(dataset: Dataset, network: Frozen, plan: Transfer) -> Path:
    """Fits a head on a data set and writes a bundle; returns its directory.

    Args:
        dataset: images as the network takes them, and labels.
        network: in evaluation mode, on the CPU; it never saw these labels.
        plan: the rest.

    Raises:
        DataError: the kind of head is not installed, or does another task; the costs name an unknown label.
        ExportError: an exported graph does not compute what was fitted.
        ClientError, OSError: an image changed since it was first read; the store cannot be written to.
    """
    plan.store.mkdir(parents=True, exist_ok=True)  # if that fails, then now and not after minutes
    watch = Stopwatch()
    parts = split(dataset, plan.head.seed)
    known = known_images(parts)
    with watch.step("export the embedder"):
        sample = dataset.images[known[:_EXPORT_SAMPLE]]
        graph = export_embedder(network, network.classifier, sample)
        embedder = Embedder(cpu_session(graph, threads=os.cpu_count() or 1))
    with watch.step("embed"):
        cache = EmbeddingCache(plan.cache, graph, dataset.input)
        embedding = embed_all(cache, embedder, dataset)
    with watch.step("look at the data"):
        findings = inspect(dataset, embedding, parts, seed=plan.head.seed)
        parts = drop(dataset, parts, findings, plan.head.drop)
    with watch.step("fit the heads"):
        material = Material(
            dataset=dataset,
            parts=parts,
            embedding=embedding,
            sources={"training images": lesson_of(dataset, embedding, parts.train)},
            judge=lesson_of(dataset, embedding, parts.validation),
            cache=cache,
        )
        taught = teach(material, plan.head)
    with watch.step("evaluate"):
        beside = " and the columns" if dataset.columns else ""
        rivals = alone(material, taught.head, plan.head.seed)
        evaluation = evaluate(taught.head, material.test, rivals, suffix=beside)
    with watch.step("make other precisions"):
        trial = Trial(select(dataset.images, parts.test), taught.head.head, material.test)
        variants = make_variants(graph, calibration_images(dataset.images, known, dataset.input), trial)
    results = Results(
        dataset=dataset,
        parts=parts,
        embedding_width=embedding.shape[1],
        head=taught.head,
        choices=taught.candidates,
        judged=len(material.judge),
        evaluation=evaluation,
        variants=variants,
        settings={
            "network": plan.network_name,
            "seed": plan.head.seed,
            "head": taught.candidates[0].name,
            **plan.head.as_settings(),
        },
        seconds=watch.seconds,
        hardware=f"{os.cpu_count()} CPU cores",
        findings=findings,
    )
    return write(results, plan.store)
