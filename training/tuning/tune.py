"""pretrained network and labelled images ──▶ the same network, its last blocks fitted to them.

The network is fitted on part of the images only. It knows those too well to validate a head with them; the others,
which it has never seen, do that, as they do for a network that was trained from the start.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.runtime.sessions import Embedder, Embedding, cpu_session
from training.data.dataset import Dataset
from training.data.images import Indices
from training.data.split import make_folds
from training.heads.labelled_embeddings import embeddings_of
from training.progress import progress
from training.tuning.block_split import BlockSplit, Tail, name_of_blocks, time_blocks
from training.tuning.tail_fit import Targets, embedded, fit_tail, linear_start
from training.tuning.tuned_network import TunedNetwork
from training.tuning.tuning_plan import Extent, NotTunedError, TuningPlan, choose_extent
from training.tuning.variants_of_images import random_variants

FEWEST_IMAGES = 200
"""Below this many, what is left to validate a head with shows nothing."""
_FOLDS = 5
_FITTED_FOLDS = 3
"""Of the images that are no test images, this many folds tune the network; the others validate the head."""
_VALIDATION_FOLDS = 6
"""One of this many folds of those chooses the epoch."""
_BATCH = 16


@dataclass(frozen=True)
class Frozen:
    """A pretrained network as it is.

    Attributes:
        network: uint8 `[N, H, W, C]` to embeddings, in evaluation mode, on the CPU.
        graph: the same, exported.
        embedding: of all images of the data set, float32 `[N, D]`.
    """

    network: nn.Module
    graph: bytes
    embedding: Embedding


@dataclass(frozen=True)
class Tuned:
    """A tuned network.

    Attributes:
        network: in evaluation mode.
        seen: positions of the images that it was tuned on or that chose its epoch.
        settings: what the manifest says of the tuning.
    """

    network: TunedNetwork
    seen: Indices
    settings: dict[str, Any]

    @property
    def is_better(self) -> bool:
        """Whether any epoch was better on the images that chose it; else it is the network as it was."""
        return bool(self.settings["epochs"])


def tune(frozen: Frozen, dataset: Dataset, usable: Indices, plan: TuningPlan, *, is_balanced: bool, seed: int) -> Tuned:
    """Tunes a network; `auto` takes the last blocks.

    Args:
        frozen: the network as it is; is not changed.
        dataset: N images, labels and groups.
        usable: positions of the images that are no test images and whose labels are believed.
        plan: what to tune, and for how long.
        is_balanced: whether each class has the same weight.
        seed: of all random choices.

    Raises:
        NotTunedError: there are too few images, the time is too short, or the network cannot be cut into blocks.
    """
    if len(usable) < FEWEST_IMAGES:
        raise NotTunedError(f"{len(usable)} images besides those for the test are fewer than {FEWEST_IMAGES}")
    began = time.monotonic()
    fit, validation = _parts(dataset, usable, seed)
    embedding, sample = frozen.embedding, torch.from_numpy(dataset.images[fit[:_BATCH]])
    extent, split, tail = _cut(frozen, sample, plan, len(fit))
    targets = _targets(dataset, np.concatenate([fit, validation]), embedding, is_balanced=is_balanced)
    of_fit, of_validation = torch.arange(len(fit)), torch.arange(len(fit), len(fit) + len(validation))
    head = linear_start(embedding[fit], targets.part(of_fit), (embedding[validation], targets.part(of_validation)))
    random = np.random.default_rng(seed)
    validation_rows = _activations(split, dataset, validation, random, 1)[0], targets.part(of_validation)
    fit_rows = _activations(split, dataset, fit, random, extent.variants)
    left_s = 60 * plan.minutes - (time.monotonic() - began)
    fitted, linear, epochs = fit_tail(
        tail, head, fit_rows, targets.part(of_fit), validation=validation_rows, extent=extent, seed=seed, seconds=left_s
    )
    seen = np.sort(np.concatenate([fit, validation]))
    network = TunedNetwork(split.joined(fitted), linear, embedded(fitted, validation_rows[0]))
    return Tuned(network, seen, _settings(extent, split, epochs, len(seen)))


def _cut(frozen: Frozen, sample: Tensor, plan: TuningPlan, count: int) -> tuple[Extent, BlockSplit, Tail]:
    """What is tuned on so many images, the network cut there, and its tail."""
    name, method = name_of_blocks(frozen.network), plan.method
    times = time_blocks(frozen.network, name, sample, _session(frozen.graph))
    extent = choose_extent(method, times, count, plan.minutes)
    split = BlockSplit(frozen.network, name, extent.cut)
    tail = split.tail(sample)
    if method == "lora" and not _has_matrices(tail):
        raise NotTunedError("its blocks have no nn.Linear, which --tune lora adapts; take --tune last")
    return extent, split, tail


def _parts(dataset: Dataset, usable: Indices, seed: int) -> tuple[Indices, Indices]:
    """Positions of the images to fit on, and of those that choose the epoch; groups stay together."""
    strata, units = dataset.strata, dataset.unit
    folds = make_folds(strata[usable], units[usable], _FOLDS, seed)
    seen = usable[folds < _FITTED_FOLDS]
    is_validation = make_folds(strata[seen], units[seen], _VALIDATION_FOLDS, seed) == 0
    return seen[~is_validation], seen[is_validation]


def _targets(dataset: Dataset, rows: Indices, embedding: Embedding, *, is_balanced: bool) -> Targets:
    labelled = embeddings_of(dataset, embedding, rows)
    weights = labelled.row_weights(is_balanced=is_balanced)
    weight = torch.ones(len(rows)) if weights is None else torch.from_numpy(weights).float()
    if dataset.classes:
        values = nn.functional.one_hot(torch.from_numpy(labelled.labels), len(dataset.classes)).float()
    else:
        numbers = torch.from_numpy(labelled.labels)[:, None]
        values = ((numbers - numbers.mean()) / numbers.std().clamp(min=1e-12)).float()
    return Targets(values, weight, bool(dataset.classes))


def _activations(
    split: BlockSplit, dataset: Dataset, positions: Indices, random: np.random.Generator, variants: int
) -> Tensor:
    """What the front gives for variants of images, the first of them the images themselves, float16 `[V, N, …]`.

    With nothing in front the images, uint8 `[1, N, H, W, C]`.
    """
    if split.cut == 0:
        return torch.from_numpy(dataset.images[positions])[None]
    sample = torch.from_numpy(dataset.images[positions[:2]])
    shape = split.front(sample).shape[1:]
    front = _session(split.front_graph(sample))
    made: list[list[Tensor]] = [[] for _ in range(variants)]
    for start in progress(range(0, len(positions), _BATCH), "running the front of the network", "batch"):
        images = torch.from_numpy(dataset.images[positions[start : start + _BATCH]])
        for number, batches in enumerate(made):
            given = random_variants(images, random) if number else images
            batches.append(torch.from_numpy(front(given.numpy())).half())
    return torch.stack([torch.cat(batches).reshape(-1, *shape) for batches in made])


def _session(graph: bytes) -> Embedder:
    return Embedder(cpu_session(graph, threads=os.cpu_count() or 1))


def _has_matrices(tail: nn.Module) -> bool:
    return any(isinstance(layer, nn.Linear) for layer in tail.modules())


def _settings(extent: Extent, split: BlockSplit, epochs: int, images: int) -> dict[str, Any]:
    blocks = len(list(split.network.get_submodule(split.name).children()))
    return {"method": extent.method, "blocks": blocks - extent.cut, "of": blocks, "epochs": epochs, "images": images}
