"""Presets: hyperparameters of network and training, each with its source."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

CHECKPOINT = "checkpoint.pt"
"""File name of a training's checkpoint."""

NetworkKind = Literal["cnn", "cct", "gru"]
"""A residual network, a compact convolutional transformer, or recurrent units over the rows of an image."""


@dataclass(frozen=True)
class Hyperparameters:
    """Settings of the network, of its training and of the augmentation."""

    epochs: int
    network: NetworkKind = "cnn"
    optimizer: Literal["sgd", "adamw"] = "sgd"
    min_steps: int = 1500
    """Optimizer steps, at least; small data sets get more epochs for them."""
    batch_size: int = 256
    learning_rate: float = 0.3
    """Peak of the one-cycle schedule for batches of 256; scales with the batch size."""
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
        """JSON-ready values, for the manifest and the checkpoint."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    def of(self, network: NetworkKind) -> Hyperparameters:
        """The same effort for another kind of network."""
        return replace(self, network=network, **_OTHERS[network])


_OTHERS: dict[NetworkKind, dict[str, Any]] = {
    "cnn": {},
    "cct": {
        "optimizer": "adamw",
        "learning_rate": 1.5e-3,
        "weight_decay": 0.05,
        "stem_width": 32,
        "widths": (),
        "depths": (4,),
        "embedding_width": 128,
    },
    "gru": {
        "optimizer": "adamw",
        "learning_rate": 3e-3,
        "weight_decay": 0.01,
        "widths": (),
        "depths": (2,),
        "embedding_width": 128,
    },
}
"""What other networks have in place of the residual network's settings; `depths` is their number of layers."""
PRESETS = {
    "quick": Hyperparameters(epochs=16),
    "best": Hyperparameters(epochs=120),
}
