"""feature maps ──▶ embedding: a compact convolutional transformer.

Hassani et al. 2021, https://arxiv.org/abs/2104.05704: a few convolutions make the tokens, so that small data sets
suffice, and attention over the tokens, in place of a class token, pools them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.network.presets import Hyperparameters

_MOST_TOKENS = 8
"""Of a side: images are halved until so few are left."""
_HEADS = 4
_EXPANSION = 2
_DROP = 0.1
"""Share of the images for which a block is left out while fitting, https://arxiv.org/abs/1603.09382."""


class _Block(nn.Module):
    """Attention and two matrices, each beside a shortcut: `[N, T, D]` in and out."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first_norm = nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.second_norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, _EXPANSION * width)
        self.contract = nn.Linear(_EXPANSION * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self._kept(self.mix(self._attended(self.first_norm(x))))
        return x + self._kept(self.contract(nn.functional.gelu(self.expand(self.second_norm(x)))))

    def _attended(self, x: Tensor) -> Tensor:
        count, tokens, width = x.shape
        parts = self.queries_keys_values(x).reshape(count, tokens, 3, _HEADS, width // _HEADS)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4).unbind()
        found = nn.functional.scaled_dot_product_attention(queries, keys, values)
        return found.transpose(1, 2).reshape(count, tokens, width)

    def _kept(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        kept = (torch.rand(len(x), 1, 1, device=x.device) >= _DROP).to(x.dtype)
        return x * kept / (1 - _DROP)


class TransformerFeatures(nn.Module):
    """Normalized images float `[N, C, H, W]` to the embedding `[N, D]`."""

    def __init__(self, hyperparameters: Hyperparameters, *, channels: int, image_size: int) -> None:
        super().__init__()
        width, side = hyperparameters.embedding_width, image_size
        layers, inputs, outputs = list[nn.Module](), channels, hyperparameters.stem_width
        while side > _MOST_TOKENS or not layers:
            layers += [nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
            layers.append(nn.MaxPool2d(3, 2, 1))
            side, inputs, outputs = (side + 1) // 2, outputs, min(2 * outputs, width)
        layers.append(nn.Conv2d(inputs, width, 3, 1, 1))
        self.tokens = nn.Sequential(*layers)
        self.position = nn.Parameter(torch.randn(1, side * side, width) * 0.02)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(hyperparameters.depths[0]))
        self.norm = nn.LayerNorm(width)
        self.weight = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Embeds."""
        x = self.tokens(x).flatten(2).transpose(1, 2) + self.position
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        shares: Tensor = torch.softmax(self.weight(x), 1)
        return (shares * x).sum(1)
