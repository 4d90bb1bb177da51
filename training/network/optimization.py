"""Hyperparameters ──▶ schedule, optimizer, learning rate and moving average of a network's training."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR

from training.network.presets import Hyperparameters

_BASE_BATCH = 256  # Hyperparameters.learning_rate is for batches of this size


def schedule(count: int, hyperparameters: Hyperparameters) -> tuple[int, int]:
    """Number of epochs and batch size for `count` training images; small sets get more epochs and smaller batches."""
    power = int(math.log2(count // 20)) if count >= 20 else 3
    batch_size = min(hyperparameters.batch_size, max(8, 2**power))
    steps_per_epoch = max(1, count // batch_size)
    return max(hyperparameters.epochs, math.ceil(hyperparameters.min_steps / steps_per_epoch)), batch_size


def image_side(side: int, epoch: int, epochs: int, hyperparameters: Hyperparameters) -> int:
    """Side of the images in an epoch, pixels: it grows in equal parts of the training, and the last sees them whole."""
    shares = (*hyperparameters.growing_sides, 1.0)
    return side if epoch == epochs - 1 else round(shares[epoch * len(shares) // epochs] * side)


def make_optimizer(network: nn.Module, hyperparameters: Hyperparameters, batch_size: int) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum, or AdamW; only matrices and kernels decay."""
    decayed = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": hyperparameters.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    rate = hyperparameters.learning_rate * batch_size / _BASE_BATCH
    if hyperparameters.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=rate)
    return torch.optim.SGD(groups, lr=rate, momentum=hyperparameters.momentum, nesterov=True)


def make_scheduler(optimizer: Any, hyperparameters: Hyperparameters, steps: int) -> OneCycleLR:
    """One cycle of the learning rate over all steps."""
    return OneCycleLR(
        optimizer,
        [group["lr"] for group in optimizer.param_groups],
        total_steps=steps,
        pct_start=hyperparameters.warmup_fraction,
        cycle_momentum=False,
    )


def moving_average(decay: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]:
    """Exponential moving average of the weights; its decay grows with the steps, up to `decay`."""

    @torch.no_grad()
    def update(averaged: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        weight = 1 - min(decay, (1 + float(count)) / (10 + float(count)))
        for target, source in zip(averaged, current, strict=True):
            if target.is_floating_point():
                target.lerp_(source, weight)
            else:
                target.copy_(source)

    return update
