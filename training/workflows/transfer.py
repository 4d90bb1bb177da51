"""data ──▶ embeddings of a frozen network ──▶ head ──▶ evaluation ──▶ bundle, in minutes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from models.runtime.embedding_files import DEFAULT_ROOT
from training.backbones.backbone import FrozenNetwork
from training.data.dataset import Dataset
from training.export.network_export import export_embedder
from training.network.embedding_cache import keeping
from training.progress import Stopwatch
from training.stages.head_plan import HeadPlan
from training.stages.prepare import drop_faults, find_faults, prepare
from training.stages.training_data import embed_images, label_embeddings
from training.workflows.new_bundle import Network, known_images, make_bundle

_EXPORT_SAMPLE = 32


@dataclass(frozen=True)
class TransferPlan:
    """How to fit a head on a frozen network's embeddings, and where to write the bundle.

    Attributes:
        store: directory of the store.
        network_name: the network's name in the manifest.
        head: which head to fit.
        cache: directory of the embeddings that are kept.
    """

    store: Path
    network_name: str
    head: HeadPlan
    cache: Path = DEFAULT_ROOT


def transfer(dataset: Dataset, network: FrozenNetwork, plan: TransferPlan) -> Path:
    """Fits a head on a data set and writes a bundle; returns its directory.

    Args:
        dataset: images of the network's input size, and labels.
        network: in evaluation mode, on the CPU; it was not fitted on these labels.
        plan: the rest.

    Raises:
        DataError: the kind of head is not installed or is for another task; a policy target names an unknown class.
        ExportError: an exported graph does not compute what the fitted model computes.
        ClientError, OSError: an image changed since it was first read; the store cannot be written to.
    """
    plan.store.mkdir(parents=True, exist_ok=True)  # an unwritable store fails now, not after minutes
    watch, seed = Stopwatch(), plan.head.seed
    with watch.step("find copies and split"):
        prepared = prepare(dataset, seed, plan.cache).checked()
    with watch.step("export the embedder"):
        sample = prepared.dataset.images[known_images(prepared.parts)[:_EXPORT_SAMPLE]]
        graph = export_embedder(network, network.classifier, sample)
    with watch.step("embed"):
        embedded = embed_images(graph, prepared.dataset, plan.cache)
    with keeping(embedded.embedding):
        with watch.step("look at the data"):
            findings = find_faults(prepared, embedded.embedding, seed)
            prepared = drop_faults(prepared, findings, plan.head.drop, force=plan.head.force)
        data = label_embeddings(prepared, embedded, seed=seed)
        frozen = Network(graph, {"network": plan.network_name}, f"{os.cpu_count()} CPU cores")
        return make_bundle(frozen, data, plan.head, findings, watch=watch, store=plan.store)
