"""Presets: every number that shapes a training, with where it comes from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

CHECKPOINT = "checkpoint.pt"
"""File of a network that is being fitted."""


@dataclass(frozen=True)
class Recipe:
    """How a network is built and fitted, and how the head is fitted on it."""

    epochs: int
    min_steps: int = 1500
    """Small data sets are passed over more often, until this many optimizer steps."""
    batch_size: int = 256
    learning_rate: float = 0.3
    """Peak of the one-cycle schedule, for batches of 256; scaled in proportion to the batch size."""
    warmup_fraction: float = 0.2
    momentum: float = 0.9
    weight_decay: float = 1e-3
    label_smoothing: float = 0.1
    shift_fraction: float = 1 / 14
    """Largest random shift, as a share of the image's side: 2 pixels of 28."""
    erase_probability: float = 0.5
    """Random erasing, Zhong et al. 2017, https://arxiv.org/abs/1708.04896."""
    ema_decay: float = 0.998
    """Per step; averages about the last 500 steps."""
    stem_width: int = 16
    widths: tuple[int, ...] = (32, 64, 128)
    depths: tuple[int, ...] = (1, 2, 2)
    embedding_width: int = 64

    def as_settings(self) -> dict[str, Any]:
        """JSON-ready, for the manifest and to recognise a checkpoint."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


PRESETS = {
    "quick": Recipe(epochs=16),
    "best": Recipe(epochs=120),
}
