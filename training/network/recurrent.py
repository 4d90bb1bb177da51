"""feature maps ──▶ embedding: gated recurrent units that read an image row by row, both ways.

Cho et al. 2014, https://arxiv.org/abs/1406.1078. On images they are a baseline: published with an SVM on
Fashion-MNIST they reach 0.888 to 0.897 (Agarap 2017, https://arxiv.org/abs/1709.03082, and its code).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.network.presets import Hyperparameters


class _Reader(nn.Module):
    """One direction of a layer, step by step, which ONNX has operators for: `[N, T, F]` to `[N, T, D]`."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.given = nn.Linear(inputs, 3 * width)
        self.kept = nn.Linear(width, 3 * width)

    def forward(self, x: Tensor) -> Tensor:
        given = self.given(x)
        state = torch.zeros_like(given[:, 0, : given.shape[2] // 3])
        states = []
        for step in range(x.shape[1]):
            reset, update, new = given[:, step].chunk(3, 1)
            old_reset, old_update, old_new = self.kept(state).chunk(3, 1)
            share = torch.sigmoid(update + old_update)
            found = torch.tanh(new + torch.sigmoid(reset + old_reset) * old_new)
            state = share * state + (1 - share) * found
            states.append(state)
        return torch.stack(states, 1)


class RecurrentFeatures(nn.Module):
    """Normalized images float `[N, C, H, W]` to the embedding `[N, D]`, elements in [-1, 1]."""

    def __init__(self, hyperparameters: Hyperparameters, *, channels: int, image_size: int) -> None:
        super().__init__()
        half, rows = hyperparameters.embedding_width // 2, channels * image_size
        inputs = [rows, *[2 * half] * (hyperparameters.depths[0] - 1)]
        self.down = nn.ModuleList(_Reader(width, half) for width in inputs)
        self.up = nn.ModuleList(_Reader(width, half) for width in inputs)

    def forward(self, x: Tensor) -> Tensor:
        """Embeds."""
        rows = x.permute(0, 2, 1, 3).flatten(2)
        for down, up in zip(self.down, self.up, strict=True):
            rows = torch.cat([down(rows), up(rows.flip(1)).flip(1)], 2)
        return rows.mean(1)
