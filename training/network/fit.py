"""training images ──▶ fitted network: one loop, on whatever device and precision Lightning Fabric finds.

Every epoch ends with a checkpoint, replaced in one rename; the random numbers of an epoch come from
(seed, epoch) alone, so a resumed training takes the very steps that an uninterrupted one takes.
"""

from __future__ import annotations

import logging
import math
import os
import pickle
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from training.data.dataset import Dataset
from training.data.images import Indices
from training.data.split import Split
from training.exceptions import ResumeError
from training.network.augmentation import augment
from training.network.network import EmbeddingNetwork
from training.network.presets import CHECKPOINT, Recipe
from training.progress import progress

EVALUATION_BATCH = 1000


@dataclass
class History:
    """One entry an epoch: mean training loss, validation accuracy of the averaged network, seconds.

    The accuracy is NaN where there are no validation images.
    """

    loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Fitted:
    """The averaged network in evaluation mode on the CPU, and how it got there."""

    network: EmbeddingNetwork
    history: History
    hardware: str


def fit(
    dataset: Dataset,
    split: Split,
    recipe: Recipe,
    *,
    seed: int,
    work: Path,
    resume: bool = False,
    max_seconds: float = math.inf,
) -> Fitted:
    """Fits the network on the training images.

    On several GPUs this starts one process each; all but the first end here.

    Args:
        dataset: images, in memory, and labels.
        split: which of them to fit on and to validate on; the test images are not looked at.
        recipe: the settings.
        seed: same seed, data, recipe and machine: same network.
        work: directory of the checkpoint.
        resume: continue from the checkpoint there.
        max_seconds: no epoch is begun, but for the first, that would not end within so many seconds if it took as long
            as the last one; the averaged network is of use at any time.

    Raises:
        ResumeError: nothing to resume from, or a damaged checkpoint, or one of other data or settings.
    """
    torch.manual_seed(seed)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    fabric = Fabric(accelerator="auto", devices="auto", precision=_precision())
    fabric.launch()
    network = _network(dataset, split, recipe)
    epochs, batch_size = schedule(len(split.train), recipe)
    steps_per_epoch = max(1, len(split.train) // (batch_size * fabric.world_size))
    optimizer = _optimizer(network, recipe, batch_size)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        [group["lr"] for group in optimizer.param_groups],
        total_steps=epochs * steps_per_epoch,
        pct_start=recipe.warmup_fraction,
        cycle_momentum=False,
    )
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in the stubs
    wrapped, optimizer = fabric.setup(network, optimizer)
    wrapped.mark_forward_method("classify_normalized")
    average = AveragedModel(network, multi_avg_fn=_moving_average(recipe.ema_decay), use_buffers=True)
    averaged: EmbeddingNetwork = average.module  # type: ignore[assignment]
    history = History()
    parts = {"network": network, "average": average, "optimizer": optimizer, "scheduler": scheduler}
    identity = {"data": dataset.fingerprint(), "recipe": recipe.as_settings(), "seed": seed}
    first_epoch = _load(work / CHECKPOINT, parts, history, identity) if resume else 0

    images = torch.from_numpy(np.asarray(dataset.images)).to(fabric.device)
    labels = torch.from_numpy(dataset.labels).to(fabric.device)
    criterion = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)

    def step(batch: Tensor, generator: torch.Generator) -> float:
        x = augment(network.normalize(images[batch]), recipe, mirror=dataset.mirror, generator=generator)
        logits = wrapped.classify_normalized(x.contiguous(memory_format=torch.channels_last))
        loss = criterion(logits, labels[batch])
        fabric.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        scheduler.step()
        average.update_parameters(network)
        return float(loss.detach())

    bar = progress(
        range(first_epoch, epochs),
        "fitting the network",
        "epoch",
        total=epochs,
        done=first_epoch,
        part=not fabric.is_global_zero,
    )
    for epoch in bar:
        started = time.perf_counter()
        network.train()
        losses = [step(*batch) for batch in _batches(split.train, batch_size, seed, epoch, fabric)]
        accuracy = _accuracy(averaged, images, labels, split.validation)
        history.loss.append(float(np.mean(losses)))
        history.validation_accuracy.append(accuracy)
        history.seconds.append(time.perf_counter() - started)
        bar.set_postfix(loss=f"{history.loss[-1]:.3f}", validation=f"{accuracy:.4f}", refresh=False)
        if fabric.is_global_zero:
            _save(work / CHECKPOINT, parts, history, identity, epoch + 1)
        if sum(history.seconds) + history.seconds[-1] > max_seconds:
            break
    if not fabric.is_global_zero:
        sys.exit()
    return Fitted(averaged.cpu().eval(), history, f"{_hardware(fabric)}, {_precision()}")


def schedule(count: int, recipe: Recipe) -> tuple[int, int]:
    """Epochs and batch size for `count` training images: small sets get smaller batches and more epochs."""
    batch_size = min(recipe.batch_size, max(8, 2 ** int(math.log2(max(1, count // 20)) if count >= 20 else 3)))
    steps_per_epoch = max(1, count // batch_size)
    return max(recipe.epochs, math.ceil(recipe.min_steps / steps_per_epoch)), batch_size


def _hardware(fabric: Fabric) -> str:
    if fabric.device.type == "cuda":
        return f"{fabric.world_size} x {torch.cuda.get_device_name(fabric.device)}"
    return f"{os.cpu_count()} CPU cores ({torch.get_num_threads()} threads)"


def _precision() -> Any:
    """bf16 where the hardware multiplies in it, else fp16 on a GPU and full precision on a CPU."""
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
    return "bf16-mixed" if torch.cpu._is_avx512_bf16_supported() else "32-true"


def _network(dataset: Dataset, split: Split, recipe: Recipe) -> EmbeddingNetwork:
    network = EmbeddingNetwork(
        recipe,
        channels=dataset.input.channels,
        image_size=dataset.input.height,
        classes=len(dataset.classes),
    )
    sample = dataset.images[split.train[:: max(1, len(split.train) // 10_000)]].astype(np.float64)
    network.mean.copy_(torch.from_numpy(sample.mean((0, 1, 2))))
    network.std.copy_(torch.from_numpy(sample.std((0, 1, 2)).clip(min=1.0)))
    return network


def _optimizer(network: EmbeddingNetwork, recipe: Recipe, batch_size: int) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum; weight decay on matrices and kernels only."""
    decayed = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    return torch.optim.SGD(
        [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=recipe.learning_rate * batch_size / 256,
        momentum=recipe.momentum,
        nesterov=True,
    )


def _moving_average(decay: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]:
    """Exponential moving average whose memory grows from the first steps on up to `decay`."""

    @torch.no_grad()
    def update(averaged: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        weight = 1 - min(decay, (1 + float(count)) / (10 + float(count)))
        for target, source in zip(averaged, current, strict=True):
            if target.is_floating_point():
                target.lerp_(source, weight)
            else:
                target.copy_(source)

    return update


def _batches(
    train: Indices, batch_size: int, seed: int, epoch: int, fabric: Fabric
) -> Iterator[tuple[Tensor, torch.Generator]]:
    """Yields (positions on the device, generator) for this process's share of one epoch."""
    shuffled = np.random.default_rng([seed, epoch]).permutation(train)
    shuffled = shuffled[fabric.global_rank :: fabric.world_size]
    generator = torch.Generator(fabric.device).manual_seed((seed << 20) + (epoch << 8) + fabric.global_rank)
    count = max(1, len(shuffled) // batch_size)
    for index in range(count):
        batch = shuffled[index * batch_size : (index + 1) * batch_size]
        yield torch.from_numpy(batch).to(fabric.device), generator


@torch.no_grad()
def _accuracy(network: EmbeddingNetwork, images: Tensor, labels: Tensor, positions: Indices) -> float:
    network.eval()
    hits = 0
    for start in range(0, len(positions), EVALUATION_BATCH):
        batch = torch.from_numpy(positions[start : start + EVALUATION_BATCH]).to(images.device)
        logits = network.classifier(network(images[batch]))
        hits += int((logits.argmax(1) == labels[batch]).sum())
    return hits / len(positions) if len(positions) else math.nan


def _save(file: Path, parts: dict[str, Any], history: History, identity: dict[str, Any], epoch: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    state = {name: part.state_dict() for name, part in parts.items()}
    staging = file.with_suffix(".tmp")
    torch.save({**state, "history": asdict(history), "identity": identity, "epoch": epoch}, staging)
    staging.replace(file)


def _load(file: Path, parts: dict[str, Any], history: History, identity: dict[str, Any]) -> int:
    if not file.is_file():
        raise ResumeError(f"nothing to resume: {file} does not exist; start without --resume")
    state = _read(file)
    for key, value in identity.items():
        if state["identity"].get(key) != value:
            raise ResumeError(
                f"{file} was written with another {key}; use the same settings, or start without --resume"
            )
    for name, part in parts.items():
        part.load_state_dict(state[name])
    for name, values in state["history"].items():
        getattr(history, name).extend(values)
    return int(state["epoch"])


def _read(file: Path) -> dict[str, Any]:
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ResumeError(f"{file} is damaged ({_first_line(error)}); start without --resume") from error
    if not isinstance(state, dict) or "identity" not in state:
        raise ResumeError(f"{file} is not a checkpoint of this program; start without --resume")
    return state


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
