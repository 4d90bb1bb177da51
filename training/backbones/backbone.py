"""`Backbone`: a network that others have fitted, with what its checkpoint says of images and of its licence."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models.bundle.input_spec import InputSpec
from training.backbones.checkpoint_images import Preprocessing

_NON_COMMERCIAL = re.compile(r"(^|-)(nc|noncommercial|research)(-|$)")
"""As licences are named on Hugging Face: cc-by-nc-4.0, apple-amlr's research licences, fair-noncommercial-research."""


class FrozenNetwork(nn.Module):
    """uint8 `[N, H, W, C]` to embeddings float32 `[N, D]`; its classifier only serves to compare graphs."""

    classifier: nn.Module

    def __call__(self, images: Tensor) -> Tensor:
        """Embeds."""
        return super().__call__(images)  # type: ignore[no-any-return]


class ScaledNetwork(FrozenNetwork):
    """A model without its head, given grey levels that are scaled as its checkpoint says.

    Args:
        model: takes float32 `[N, 3, H, W]`.
        preprocessing: mean and deviation.
        pool: makes the embedding `[N, D]` of what the model gives.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, model: nn.Module, preprocessing: Preprocessing, pool: Callable[[Any], Tensor]) -> None:
        super().__init__()
        self.model = model
        self.classifier = nn.Identity()
        self._pool = pool
        self.register_buffer("mean", torch.tensor(preprocessing.mean)[:, None, None])
        self.register_buffer("deviation", torch.tensor(preprocessing.deviation)[:, None, None])

    def forward(self, images: Tensor) -> Tensor:
        """uint8 `[N, H, W, 3]` to the embedding float32 `[N, D]`."""
        return self._pool(self.model((images.permute(0, 3, 1, 2).float() - self.mean) / self.deviation))


@dataclass(frozen=True)
class Backbone:
    """A network in evaluation mode, on the CPU.

    Attributes:
        name: as it was asked for, which the manifest keeps.
        network: scaling and features.
        input: size, fit and filter with which it was fitted.
        license: as its source names it; empty where that does not say.
    """

    name: str
    network: FrozenNetwork
    input: InputSpec
    license: str

    @property
    def license_note(self) -> str:
        """One sentence for whoever takes it."""
        if not self.license:
            return f"{self.name} does not say under which licence its weights are; ask before you ship them"
        if _NON_COMMERCIAL.search(self.license):
            return f"{self.name} is licensed under {self.license}: NOT for commercial use"
        return f"{self.name} is licensed under {self.license}"

    @property
    def parameters(self) -> int:
        """Number of weights of the embedder."""
        return sum(weight.numel() for weight in self.network.parameters())
