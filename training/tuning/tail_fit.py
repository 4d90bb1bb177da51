"""activations and targets ──▶ fitted tail.

Starts from a linear model on the frozen embedding (Kumar et al. 2022, https://arxiv.org/abs/2202.10054), mixes pairs of
rows (Zhang et al. 2017, https://arxiv.org/abs/1710.09412), changes early blocks less than late ones, and keeps the
moving average of the weights that does best on rows that are not fitted.
"""

from __future__ import annotations

import copy
import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from models.runtime.sessions import Embedding
from training.arrays import Floats
from training.network.optimization import moving_average
from training.progress import progress
from training.tuning import low_rank
from training.tuning.block_split import Tail
from training.tuning.tuning_plan import Extent
from training.tuning.variants_of_images import random_variants

_BATCH = 32
_RATE = 2e-4
"""Of AdamW for the last block."""
_RATE_OF_HEAD = 1e-3
_RATE_OF_LOW_RANK = 1e-3
_LESS_BY_BLOCK = 0.8
"""Each block before the last learns slower by this factor (ULMFiT, https://arxiv.org/abs/1801.06146, has 1 / 2.6)."""
_WEIGHT_DECAY = 0.05
_MIXUP = 0.2
_SMOOTHING = 0.1
_AVERAGE = 0.98
_WARMUP = 0.1
_STRENGTHS = (0.003, 0.01, 0.03, 0.1)
"""Inverse penalties of the linear model on an embedding of mean square 1; between .003 and .03 suits most."""
_UNKNOWN = 5.0
"""Logits by which a class without rows is less likely than the others."""


@dataclass(frozen=True)
class Targets:
    """What rows are fitted to.

    Attributes:
        values: one-hot classes float32 `[N, K]`, or standardized numbers `[N, 1]`.
        weights: of the rows, float32 `[N]`, with mean 1.
        are_classes: which of the two.
    """

    values: Tensor
    weights: Tensor
    are_classes: bool

    def part(self, rows: Tensor) -> Targets:
        """Some of the rows."""
        return Targets(self.values[rows], self.weights[rows], self.are_classes)

    def loss(self, outputs: Tensor) -> Tensor:
        """Mean cross-entropy of logits, or squared error."""
        if self.are_classes:
            losses = -(self.values * torch.log_softmax(outputs, 1)).sum(1)
        else:
            losses = (outputs - self.values).square().sum(1)
        return (losses * self.weights).mean()

    def mixed(self, order: Tensor, share: float) -> Targets:
        """Each row mixed with another one."""
        smooth = _SMOOTHING if self.are_classes else 0.0
        values = (1 - smooth) * self.values + smooth / self.values.shape[1]
        return Targets(
            share * values + (1 - share) * values[order],
            share * self.weights + (1 - share) * self.weights[order],
            self.are_classes,
        )


class _Model(nn.Module):
    """Tail and linear head."""

    def __init__(self, tail: Tail, head: nn.Linear) -> None:
        super().__init__()
        self.tail = tail
        self.head = head

    def forward(self, activations: Tensor) -> Tensor:
        return self.head(self.tail(activations))  # type: ignore[no-any-return]


def fit_tail(
    tail: Tail,
    head: nn.Linear,
    activations: Tensor,
    targets: Targets,
    *,
    validation: tuple[Tensor, Targets],
    extent: Extent,
    seed: int,
    seconds: float = math.inf,
) -> tuple[Tail, nn.Linear, int]:
    """Fits a tail; returns it, its linear model, and the epochs until they were best, 0 if never better than at first.

    Args:
        tail: is not changed.
        head: linear model on its embedding, to start from.
        activations: of the variants of the rows, `[V, N, …]`.
        targets: of the N rows.
        validation: activations and targets of rows that choose the epoch.
        extent: what is fitted, and for how long.
        seed: of the order of rows and of their mixtures.
        seconds: no epoch begins that would end later, at the speed of those before.
    """
    random = np.random.default_rng(seed)
    torch.manual_seed(seed)  # of the first values of low-rank products
    model = copy.deepcopy(_Model(tail, head)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    fit = _Fit(model, extent, activations)
    began = time.monotonic()
    best, best_loss, best_epoch = _state(model), _loss(model, *validation), 0
    for epoch in progress(range(1, extent.epochs + 1), "tuning the network", "epoch"):
        for given, wanted in _batches(activations, targets, fit.steps, random):
            fit.step(given, wanted)
        loss = _loss(fit.averaged, *validation)
        if loss < best_loss:
            best, best_loss, best_epoch = _state(fit.averaged), loss, epoch
        if (time.monotonic() - began) * (epoch + 1) / epoch > seconds:
            break
    model.load_state_dict(best)
    low_rank.merge(model)
    return model.tail, model.head, best_epoch


class _Fit:
    """Optimizer, schedule and moving average of a model."""

    def __init__(self, model: _Model, extent: Extent, activations: Tensor) -> None:
        self._model = model
        self.steps = max(1, activations.shape[1] // _BATCH)
        sample = _given(activations[0, :2])
        self._optimizer = torch.optim.AdamW(_groups(model, extent, sample), weight_decay=_WEIGHT_DECAY)
        schedule = _schedule(extent.epochs * self.steps)
        self._scheduler = torch.optim.lr_scheduler.LambdaLR(self._optimizer, schedule)
        self._average = AveragedModel(model, multi_avg_fn=moving_average(_AVERAGE))
        self.averaged: _Model = self._average.module  # type: ignore[assignment]

    def step(self, given: Tensor, wanted: Targets) -> None:
        wanted.loss(self._model(given)).backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._scheduler.step()
        self._average.update_parameters(self._model)


def _batches(
    activations: Tensor, targets: Targets, steps: int, random: np.random.Generator
) -> Iterator[tuple[Tensor, Targets]]:
    """Mixed batches of an epoch, each row as one of its variants."""
    for rows in torch.split(torch.from_numpy(random.permutation(activations.shape[1])), _BATCH)[:steps]:
        variants = torch.from_numpy(random.integers(activations.shape[0], size=len(rows)))
        yield _mixed(activations[variants, rows], targets.part(rows), random)


def linear_start(embedding: Embedding, targets: Targets, validation: tuple[Embedding, Targets]) -> nn.Linear:
    """A linear model from an embedding to the targets, with the penalty that does best on rows that are not fitted.

    Args:
        embedding: float32 `[N, D]`.
        targets: of its N rows.
        validation: embedding and targets of the other rows.
    """
    rows, wanted = torch.from_numpy(validation[0]), validation[1]
    with torch.no_grad():
        return min(
            (_linear_model(embedding, targets, strength) for strength in _STRENGTHS),
            key=lambda model: float(wanted.loss(model(rows))),
        )


def _linear_model(embedding: Embedding, targets: Targets, strength: float) -> nn.Linear:
    mean = embedding.mean(0)
    scale = float(np.sqrt(np.square(embedding - mean).mean())) or 1.0
    rows, weights = (embedding - mean) / scale, targets.weights.numpy()
    wanted = targets.values.numpy()
    if targets.are_classes:
        model = LogisticRegression(C=strength, max_iter=300)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # of a start, whose last digits do not matter
            model.fit(rows, wanted.argmax(1), weights)
        weight, bias = _of_all_classes(model, wanted.shape[1])
    else:
        ridge = Ridge(1 / strength).fit(rows, wanted[:, 0], weights)
        weight, bias = ridge.coef_.reshape(1, -1), np.array([ridge.intercept_])
    head = nn.Linear(embedding.shape[1], wanted.shape[1])
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weight / scale))
        head.bias.copy_(torch.from_numpy(bias - weight @ mean / scale))
    return head


def _of_all_classes(model: LogisticRegression, count: int) -> tuple[Floats, Floats]:
    """Weights `[K, D]` and biases `[K]` of all classes; scikit-learn gives two classes one row."""
    weight, bias = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        weight, bias = np.vstack([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    every_weight, every_bias = np.zeros((count, weight.shape[1])), np.full(count, bias.min() - _UNKNOWN)
    every_weight[model.classes_], every_bias[model.classes_] = weight, bias
    return every_weight, every_bias


def _groups(model: _Model, extent: Extent, sample: Tensor) -> list[dict[str, object]]:
    """What is fitted, with its learning rates."""
    groups: list[dict[str, object]] = [{"params": list(model.head.parameters()), "lr": _RATE_OF_HEAD}]
    network, names = model.tail.network, model.tail.reached(sample)
    if extent.method == "lora":
        return [*groups, {"params": low_rank.adapt(network, names), "lr": _RATE_OF_LOW_RANK}]
    network.requires_grad_(False)
    depths = _depths(names, model.tail.name)
    for name, depth in zip(names, depths, strict=True):
        parameter = network.get_parameter(name).requires_grad_(True)
        groups.append({"params": [parameter], "lr": _RATE * _LESS_BY_BLOCK ** (max(depths) - depth)})
    return groups


def _depths(names: Sequence[str], blocks: str) -> list[int]:
    """The position of each parameter's block; what lies before or behind the blocks goes with the nearest one.

    Args:
        names: of the parameters, front to back.
        blocks: name of the list of blocks.
    """
    depths, depth = list[int](), 0
    for name in names:
        if name.startswith(f"{blocks}."):
            depth = int(name.removeprefix(f"{blocks}.").partition(".")[0])
        depths.append(depth)
    return depths


def _schedule(steps: int) -> Callable[[int], float]:
    """Share of the learning rate at a step: up, then half a cosine down."""

    def share(step: int) -> float:
        warmup = max(1, round(_WARMUP * steps))
        return (step + 1) / warmup if step < warmup else (1 + math.cos(math.pi * (step - warmup) / steps)) / 2

    return share


def _mixed(given: Tensor, targets: Targets, random: np.random.Generator) -> tuple[Tensor, Targets]:
    """Activations and targets of a batch, each row mixed with another one; images are shifted instead."""
    if given.dtype == torch.uint8:
        return random_variants(given, random), targets.mixed(torch.arange(len(given)), 1.0)
    given, order = _given(given), torch.from_numpy(random.permutation(len(given)))
    share = float(random.beta(_MIXUP, _MIXUP))
    return share * given + (1 - share) * given[order], targets.mixed(order, share)


def _given(activations: Tensor) -> Tensor:
    """Activations as the tail takes them: float32, feature maps with the channels last; or images uint8."""
    if activations.dtype == torch.uint8:
        return activations
    is_map = activations.ndim == 4
    return activations.float().contiguous(memory_format=torch.channels_last if is_map else torch.contiguous_format)


def _loss(model: _Model, activations: Tensor, targets: Targets) -> float:
    with torch.no_grad():
        return float(targets.loss(model.head(embedded(model.tail, activations))))


@torch.no_grad()
def embedded(tail: nn.Module, activations: Tensor) -> Tensor:
    """The embedding `[N, D]` of activations `[N, …]`."""
    return torch.cat([tail(_given(batch)) for batch in torch.split(activations, _BATCH)])


def _state(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}
