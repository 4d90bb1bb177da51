"""data ──▶ embeddings of a frozen network ──▶ head ──▶ evaluation ──▶ bundle: top to bottom, in minutes."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from models.runtime.sessions import Embedder, cpu_session
from training.clean.findings.findings import drop, inspect
from training.data.dataset import Dataset
from training.export.network_export import export_embedder
from training.network.embedding_cache import DEFAULT_ROOT, EmbeddingCache, embed_all, keeping
from training.network.pretrained import Frozen
from training.workflows.model_selection import HeadPlan, material_of
from training.workflows.new_bundle import Network, conclude
from training.workflows.prepare import prepare
from training.workflows.results import Stopwatch, known_images

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
    seed = plan.head.seed
    with watch.step("find copies and split"):
        prepared = prepare(dataset, seed, plan.cache).checked()
    dataset, parts = prepared.dataset, prepared.parts
    with watch.step("export the embedder"):
        sample = dataset.images[known_images(parts)[:_EXPORT_SAMPLE]]
        graph = export_embedder(network, network.classifier, sample)
        embedder = Embedder(cpu_session(graph, threads=os.cpu_count() or 1))
    with watch.step("embed"):
        cache = EmbeddingCache(plan.cache, graph, dataset.input)
        embedding = embed_all(cache, embedder, dataset)
    with keeping(embedding):
        with watch.step("look at the data"):
            findings = inspect(dataset, embedding, parts, prepared.copies, seed=seed)
            kept = drop(dataset, parts, findings, plan.head.drop, force=plan.head.force)
        prepared = replace(prepared, parts=kept, unfitted=findings.doubtful(plan.head.drop))
        material = material_of(prepared, embedding, cache, seed=seed)
        frozen = Network(graph, {"network": plan.network_name}, f"{os.cpu_count()} CPU cores", {})
        return conclude(frozen, material, plan.head, rivals=dict, findings=findings, watch=watch, store=plan.store)
