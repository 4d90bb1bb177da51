"""data ──▶ embeddings of a pretrained network, frozen or tuned ──▶ head ──▶ evaluation ──▶ bundle, in minutes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch import nn

from models.runtime.embedding_files import DEFAULT_ROOT
from training.backbones.backbone import FrozenNetwork
from training.data.dataset import Dataset
from training.data.images import Indices
from training.data.seen_images import SEEN, seen_file
from training.export.network_export import export_embedder
from training.heads.registry import kind_named
from training.instances.pooling_choice import choose_pooling
from training.network.embedding_cache import keeping
from training.progress import Stopwatch
from training.stages.head_plan import HeadPlan
from training.stages.model_selection import select_head
from training.stages.prepare import Prepared, drop_faults, find_faults, prepare
from training.stages.training_data import Embedded, embed_images, label_embeddings
from training.tuning.tune import Frozen, Tuned, tune
from training.tuning.tuning_plan import NotTunedError, TuningPlan
from training.workflows.new_bundle import Model, Network, known_images, make_bundle
from training.workflows.tuning_trial import try_tuned


class Tuner(Protocol):
    """`training.tuning.tune.tune`, or what stands in for it to measure it."""

    def __call__(
        self, frozen: Frozen, dataset: Dataset, usable: Indices, plan: TuningPlan, /, *, is_balanced: bool, seed: int
    ) -> Tuned:
        """Tunes a network."""


_EXPORT_SAMPLE = 32
_OF_PHOTOS = "its images are photos of things"


@dataclass(frozen=True)
class TransferPlan:
    """How to fit a head on a pretrained network's embeddings, and where to write the bundle.

    Attributes:
        store: directory of the store.
        network_name: the network's name in the manifest.
        head: which head to fit.
        cache: directory of the embeddings that are kept.
        tuning: whether, and how, the network is fitted to the images, too.
    """

    store: Path
    network_name: str
    head: HeadPlan
    cache: Path = DEFAULT_ROOT
    tuning: TuningPlan = TuningPlan()  # noqa: RUF009 (frozen)


def transfer(dataset: Dataset, network: FrozenNetwork, plan: TransferPlan, tuner: Tuner = tune) -> Path:
    """Fits a head on a data set and writes a bundle; returns its directory.

    Args:
        dataset: images of the network's input size, and labels.
        network: in evaluation mode, on the CPU; it was not fitted on these labels.
        plan: the rest.
        tuner: tunes the network, where the plan says so.

    Raises:
        DataError: the kind of head is not installed or is for another task; a policy target names an unknown class;
            a tuning was asked for that the network, the images or the time do not allow.
        ExportError: an exported graph does not compute what the fitted model computes.
        ClientError, OSError: an image changed since it was first read; the store cannot be written to.
    """
    plan.store.mkdir(parents=True, exist_ok=True)  # an unwritable store fails now, not after minutes
    if dataset.photos is not None and plan.tuning.option not in ("auto", "off"):
        raise NotTunedError(f"the network is not tuned: {_OF_PHOTOS}; leave out --tune {plan.tuning.option}")
    watch, seed = Stopwatch(), plan.head.seed
    with watch.step("find copies and split"):
        prepared = prepare(dataset, seed, plan.cache).checked()
    graph, embedded = _embedded(network, network.classifier, prepared, plan, watch)
    with keeping(embedded.embedding):
        with watch.step("look at the data"):
            findings = find_faults(prepared, embedded.embedding, seed)
            prepared = drop_faults(prepared, findings, plan.head.drop, force=plan.head.force)
        with watch.step("fit the heads"):
            data = label_embeddings(prepared, embedded, seed=seed)
            frozen = Model(_network(graph, embedded, plan), data, select_head(data, plan.head))
        model = _frozen_or_tuned(network, prepared, frozen, plan, watch=watch, tuner=tuner)
        return make_bundle(model, plan.head, findings, watch=watch, store=plan.store)


def _frozen_or_tuned(
    network: FrozenNetwork, prepared: Prepared, frozen: Model, plan: TransferPlan, *, watch: Stopwatch, tuner: Tuner
) -> Model:
    """Tunes the network if the plan says so; `auto` serves it only if it is better."""
    tuning, is_balanced = plan.tuning, plan.head.balance == "weights"
    if tuning.option == "off":
        return frozen
    usable = np.setdiff1d(prepared.parts.known, prepared.unfitted)
    try:
        if prepared.dataset.photos is not None:
            raise NotTunedError(_OF_PHOTOS)
        with watch.step("tune the network"):
            found = tuner(
                Frozen(network, frozen.network.graph, frozen.data.embedding),
                prepared.dataset,
                usable,
                tuning,
                is_balanced=is_balanced,
                seed=plan.head.seed,
            )
    except NotTunedError as error:
        if tuning.option != "auto":
            raise
        return _said(frozen, {"result": f"the network is not tuned: {error}"})
    if not found.is_better:
        result = "no epoch of the tuning was better on images that were not fitted, so the network stays as it is"
        return _said(frozen, {**found.settings, "result": result})
    tuned = _tuned(found, prepared, plan, watch)
    trial = try_tuned((frozen.data, frozen.selection), (tuned.data, tuned.selection), is_balanced=is_balanced)
    entry = {**found.settings, "result": trial.sentence}
    if trial.is_better or tuning.option != "auto":
        return _said(_beside(tuned, frozen, "frozen network's embedding"), entry)
    return _said(_beside(frozen, tuned, "tuned network's embedding"), entry)


def _said(model: Model, tuning: Mapping[str, Any]) -> Model:
    """The same with what the manifest says of the tuning."""
    settings = {**model.network.settings, "tuning": dict(tuning)}
    return replace(model, network=replace(model.network, settings=settings))


def _beside(model: Model, other: Model, title: str) -> Model:
    """The same with the other one's answers on the test images, for the report."""
    kind, test = kind_named(other.selection.head.spec.kind).title, other.data.test
    answers = other.selection.head.head.answer(test.embedding, test.rows)[0]
    return replace(model, network=replace(model.network, baselines={f"{kind} on the {title}": answers}))


def _tuned(found: Tuned, prepared: Prepared, plan: TransferPlan, watch: Stopwatch) -> Model:
    """The tuned network, and the head selected on it."""
    seen = np.isin(np.arange(len(prepared.dataset.labels)), found.seen)
    prepared = replace(prepared, seen=prepared.seen | seen)
    graph, embedded = _embedded(found.network, found.network.classifier, prepared, plan, watch)
    with watch.step("fit the heads"):
        data = label_embeddings(prepared, embedded, seed=plan.head.seed)
        selection = select_head(data, plan.head)
    files = {SEEN: seen_file(prepared.copies.hashes, found.seen)}
    return Model(replace(_network(graph, embedded, plan), files=files), data, selection)


def _embedded(
    network: nn.Module, classifier: nn.Module, prepared: Prepared, plan: TransferPlan, watch: Stopwatch
) -> tuple[bytes, Embedded]:
    """The exported network, and the embeddings of all images, pooled where an instance has several."""
    with watch.step("export the embedder"):
        sample = prepared.dataset.images[known_images(prepared.parts)[:_EXPORT_SAMPLE]]
        graph = export_embedder(network, classifier, sample)
    with watch.step("embed"):
        embedded = embed_images(graph, prepared.dataset.of_photos(), plan.cache)
    if prepared.dataset.photos is None:
        return graph, embedded
    with watch.step("choose the pooling"):
        known, seed = prepared.parts.known, plan.head.seed
        choice = choose_pooling(prepared.dataset, embedded.embedding, known, seed=seed)
    return graph, Embedded(choice.rows, embedded.cache, choice.pooling, choice.sentence, choice.files)


def _network(graph: bytes, embedded: Embedded, plan: TransferPlan) -> Network:
    pooling = {"pooling": embedded.why} if embedded.why else {}
    return Network(graph, {"network": plan.network_name, **pooling}, f"{os.cpu_count()} CPU cores", embedded.files)
