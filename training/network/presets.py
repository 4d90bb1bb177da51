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
    shift_fraction: float = 3 / 28
    """Largest random shift, as a share of the image's side."""
    growing_sides: tuple[float, ...] = (5 / 7, 6 / 7)
    """Share of the image's side in the first and the second third of the epochs, which cost half and three quarters
    of the last third's. Progressive image size, Tan and Le 2021, https://arxiv.org/abs/2104.00298."""
    erase_probability: float = 0.5
    """Random erasing, Zhong et al. 2017, https://arxiv.org/abs/1708.04896."""
    ema_decay: float = 0.998
    """Per step; averages about the last 500 steps."""
    stem_width: int = 16
    widths: tuple[int, ...] = (16, 32, 64, 128)
    depths: tuple[int, ...] = (1, 2, 2, 1)
    embedding_width: int = 64
    """Of the last layer; the embedding of a residual network has the means of its middle stages, too."""
    teacher: Hyperparameters | None = None
    """Of a larger network that is fitted first; the network is then fitted to its answers, not to the labels.
    Distillation, Hinton et al. 2015, https://arxiv.org/abs/1503.02531."""

    def as_settings(self) -> dict[str, Any]:
        """JSON-ready values, for the manifest and the checkpoint."""
        settings = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        return {**settings, "teacher": self.teacher.as_settings() if self.teacher else None}

    def of(self, network: NetworkKind) -> Hyperparameters:
        """The same effort for another kind of network."""
        return replace(self, network=network, **_OTHERS[network])


_OTHERS: dict[NetworkKind, dict[str, Any]] = {
    "cnn": {},
    "cct": {
        "optimizer": "adamw",
        "growing_sides": (),
        "teacher": None,
        "learning_rate": 1.5e-3,
        "weight_decay": 0.05,
        "stem_width": 32,
        "widths": (),
        "depths": (4,),
        "embedding_width": 128,
    },
    "gru": {
        "optimizer": "adamw",
        "growing_sides": (),
        "teacher": None,
        "learning_rate": 3e-3,
        "weight_decay": 0.01,
        "widths": (),
        "depths": (2,),
        "embedding_width": 128,
    },
}
"""What other networks have in place of the residual network's settings; `depths` is their number of layers."""
_TEACHER = Hyperparameters(
    epochs=30,
    label_smoothing=0.0,  # which hides how classes resemble each other, Müller et al. 2019, arXiv 1906.02629
    stem_width=32,
    widths=(32, 64, 128, 256),
    depths=(2, 2, 2, 2),
    embedding_width=256,
)
PRESETS = {
    "quick": Hyperparameters(epochs=16),
    "best": Hyperparameters(epochs=160, weight_decay=5e-4, label_smoothing=0.0, teacher=_TEACHER),
}
