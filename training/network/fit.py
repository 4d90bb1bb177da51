"""training images ──▶ fitted network, on whatever device and precision Lightning Fabric finds.

Every epoch ends with a checkpoint. The random numbers of an epoch depend only on seed and epoch, so a resumed
training takes the same steps as an uninterrupted one.
"""

from __future__ import annotations

import logging
import math
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
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
from training.network.augmentation import augment
from training.network.checkpoint import Checkpoint
from training.network.history import History
from training.network.network import EmbeddingNetwork
from training.network.optimization import image_side, make_optimizer, make_scheduler, moving_average, schedule
from training.network.presets import CHECKPOINT, Hyperparameters
from training.progress import progress

EVALUATION_BATCH = 1000
_TEMPERATURE = 2.0
"""By which a teacher's logits are divided, so that unlikely classes count."""
_OF_TEACHER = 0.7
"""Share of the teacher in what a network is fitted to; the rest are the labels."""


@dataclass(frozen=True)
class Fitted:
    """A fitted network.

    Attributes:
        network: the averaged one, in evaluation mode on the CPU.
        history: of its epochs.
        seconds: that all epochs took, its teacher's and those before an interruption among them.
        hardware: that it was fitted on.
    """

    network: EmbeddingNetwork
    history: History
    seconds: float
    hardware: str


def fit(
    dataset: Dataset,
    split: Split,
    hyperparameters: Hyperparameters,
    *,
    seed: int,
    work: Path,
    resume: bool = False,
    max_seconds: float = math.inf,
) -> Fitted:
    """Fits the network on the training images; its teacher first, if it has one.

    On several GPUs this starts one process per GPU; all but the first end here.

    Args:
        dataset: images, in memory, and labels.
        split: which of them to fit on and to validate on; the test images are not used.
        hyperparameters: of network and training.
        seed: the same seed, data, hyperparameters and machine give the same network.
        work: directory of the checkpoint.
        resume: continue from the checkpoint there.
        max_seconds: after the first epoch, another one starts only if it would end in time, at the speed of the last
            one. The averaged network is usable after every epoch. A teacher has all its time.

    Raises:
        ResumeError: there is no checkpoint, it is damaged, or it belongs to other data or settings.
    """
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    fabric = Fabric(accelerator="auto", devices="auto", precision=_precision())
    fabric.launch()
    teacher = None
    if hyperparameters.teacher:
        teacher = _Loop(fabric, dataset, split, hyperparameters.teacher, seed=seed, work=work / "teacher")
        resume = teacher.run_before(work / CHECKPOINT, resume=resume)
    loop = _Loop(fabric, dataset, split, hyperparameters, seed=seed, work=work, teacher=teacher)
    loop.run(resume=resume, max_seconds=max_seconds)
    if not fabric.is_global_zero:
        sys.exit()
    seconds = sum([*(teacher.history.seconds if teacher else []), *loop.history.seconds])
    return Fitted(loop.averaged.cpu().eval(), loop.history, seconds, _hardware(fabric))


class _Loop:
    """Network, optimizer and data of one training, and its epochs."""

    def __init__(
        self,
        fabric: Fabric,
        dataset: Dataset,
        split: Split,
        hyperparameters: Hyperparameters,
        *,
        seed: int,
        work: Path,
        teacher: _Loop | None = None,
    ) -> None:
        torch.manual_seed(seed)  # of the first weights
        self._fabric, self._split, self._hyperparameters, self._seed = fabric, split, hyperparameters, seed
        self._mirror = dataset.mirror
        self._epochs, self._batch_size = schedule(len(split.train), hyperparameters)
        steps_per_epoch = max(1, len(split.train) // (self._batch_size * fabric.world_size))
        self._network = _network(dataset, split, hyperparameters)
        optimizer = make_optimizer(self._network, hyperparameters, self._batch_size)
        self._scheduler = make_scheduler(optimizer, hyperparameters, self._epochs * steps_per_epoch)
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in the stubs
        self._wrapped, self._optimizer = fabric.setup(self._network, optimizer)
        self._wrapped.mark_forward_method("classify_normalized")
        self._average = AveragedModel(
            self._network, multi_avg_fn=moving_average(hyperparameters.ema_decay), use_buffers=True
        )
        self.averaged: EmbeddingNetwork = self._average.module  # type: ignore[assignment]
        self.history = History()
        identity = {"data": dataset.fingerprint(), "recipe": hyperparameters.as_settings(), "seed": seed}
        parts = {"network": self._network, "average": self._average, "optimizer": self._optimizer}
        parts["scheduler"] = self._scheduler
        self._checkpoint = Checkpoint(work / CHECKPOINT, parts, self.history, identity)
        self._images = torch.from_numpy(np.asarray(dataset.images)).to(fabric.device)
        self._labels = torch.from_numpy(dataset.labels).to(fabric.device)
        self._targets = self._labels if teacher is None else self._softened(teacher.averaged, len(dataset.classes))
        self._criterion = nn.CrossEntropyLoss(label_smoothing=hyperparameters.label_smoothing)

    def run_before(self, checkpoint: Path, *, resume: bool) -> bool:
        """Runs a teacher's epochs; returns whether its network's training resumes, too, from a checkpoint."""
        if not resume:
            checkpoint.unlink(missing_ok=True)  # of an earlier training
        self.run(resume=resume)
        return resume and checkpoint.is_file()  # there is none if the teacher's training was interrupted

    def run(self, *, resume: bool, max_seconds: float = math.inf) -> None:
        """Runs the epochs that are left, each followed by a checkpoint."""
        first_epoch = self._checkpoint.load() if resume else 0
        bar = progress(
            range(first_epoch, self._epochs),
            "fitting the network",
            "epoch",
            total=self._epochs,
            done=first_epoch,
            part=not self._fabric.is_global_zero,
        )
        for epoch in bar:
            loss, accuracy = self._run_epoch(epoch)
            bar.set_postfix(loss=f"{loss:.3f}", validation=f"{accuracy:.4f}", refresh=False)
            if self._fabric.is_global_zero:
                self._checkpoint.save(epoch + 1)
            if sum(self.history.seconds) + self.history.seconds[-1] > max_seconds:
                break

    def _run_epoch(self, epoch: int) -> tuple[float, float]:
        """Takes the steps of an epoch; returns mean loss and validation accuracy."""
        started = time.perf_counter()
        self._network.train()
        side = image_side(self._images.shape[1], epoch, self._epochs, self._hyperparameters)
        loss = float(np.mean([self._step(*batch, side) for batch in self._batches(epoch)]))
        accuracy = _accuracy(self.averaged, self._images, self._labels, self._split.validation)
        self.history.loss.append(loss)
        self.history.validation_accuracy.append(accuracy)
        self.history.seconds.append(time.perf_counter() - started)
        return loss, accuracy

    def _batches(self, epoch: int) -> Iterator[tuple[Tensor, torch.Generator]]:
        """Yields (positions on the device, generator) for this process's share of one epoch."""
        fabric, seed, batch_size = self._fabric, self._seed, self._batch_size
        shuffled = np.random.default_rng([seed, epoch]).permutation(self._split.train)
        shuffled = shuffled[fabric.global_rank :: fabric.world_size]
        generator = torch.Generator(fabric.device).manual_seed((seed << 20) + (epoch << 8) + fabric.global_rank)
        for index in range(max(1, len(shuffled) // batch_size)):
            batch = shuffled[index * batch_size : (index + 1) * batch_size]
            yield torch.from_numpy(batch).to(fabric.device), generator

    @torch.no_grad()
    def _softened(self, teacher: EmbeddingNetwork, classes: int) -> Tensor:
        """The labels of the training images, mixed with what a teacher says of them: float32 `[N, K]`, others 0."""
        targets = torch.zeros(len(self._labels), classes, device=self._fabric.device)
        teacher.eval()
        for batch in torch.split(torch.from_numpy(self._split.train), EVALUATION_BATCH):
            x = teacher.normalize(self._images[batch])
            with self._fabric.autocast():
                seen = [teacher.classify_normalized(each) for each in ([x, x.flip(3)] if self._mirror else [x])]
            says = torch.stack([torch.softmax(logits / _TEMPERATURE, 1) for logits in seen]).mean(0)
            labels = nn.functional.one_hot(self._labels[batch], classes)
            targets[batch] = _OF_TEACHER * says + (1 - _OF_TEACHER) * labels
        return targets

    def _step(self, batch: Tensor, generator: torch.Generator, side: int) -> float:
        """Takes one optimizer step on the images at positions `[B]`, resized to a side; returns their loss."""
        images = self._network.normalize(self._images[batch])
        x = augment(images, self._hyperparameters, mirror=self._mirror, generator=generator)
        if side < x.shape[-1]:
            x = nn.functional.interpolate(x, (side, side), mode="bilinear", antialias=True)
        with self._fabric.autocast():  # Fabric sees to it for `forward` alone
            logits = self._wrapped.classify_normalized(x.contiguous(memory_format=torch.channels_last))
        loss = self._criterion(logits, self._targets[batch])
        self._fabric.backward(loss)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._scheduler.step()
        self._average.update_parameters(self._network)
        return float(loss.detach())


def _hardware(fabric: Fabric) -> str:
    if fabric.device.type == "cuda":
        return f"{fabric.world_size} x {torch.cuda.get_device_name(fabric.device)}, {_precision()}"
    return f"{os.cpu_count()} CPU cores ({torch.get_num_threads()} threads), {_precision()}"


def _precision() -> Any:
    """bf16 where the hardware multiplies in it, else fp16 on a GPU and float32 on a CPU."""
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
    return "bf16-mixed" if torch.cpu.get_capabilities().get("avx512_bf16", False) else "32-true"


def _network(dataset: Dataset, split: Split, hyperparameters: Hyperparameters) -> EmbeddingNetwork:
    """A new network that normalizes by mean and deviation of the training images."""
    network = EmbeddingNetwork(
        hyperparameters,
        channels=dataset.input.channels,
        image_size=dataset.input.height,
        classes=len(dataset.classes),
    )
    sample = dataset.images[split.train[:: max(1, len(split.train) // 10_000)]].astype(np.float64)
    network.mean.copy_(torch.from_numpy(sample.mean((0, 1, 2))))
    network.std.copy_(torch.from_numpy(sample.std((0, 1, 2)).clip(min=1.0)))
    return network


@torch.no_grad()
def _accuracy(network: EmbeddingNetwork, images: Tensor, labels: Tensor, positions: Indices) -> float:
    """Accuracy on the images at some positions; NaN if there are none."""
    network.eval()
    hits = 0
    for start in range(0, len(positions), EVALUATION_BATCH):
        batch = torch.from_numpy(positions[start : start + EVALUATION_BATCH]).to(images.device)
        logits = network.classifier(network(images[batch]))
        hits += int((logits.argmax(1) == labels[batch]).sum())
    return hits / len(positions) if len(positions) else math.nan
