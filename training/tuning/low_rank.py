"""matrices of a network ──▶ the same matrices plus products of two narrow ones, which alone are fitted.

Hu et al. 2021, https://arxiv.org/abs/2106.09685.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

RANK = 8
_ALPHA = 16  # the product counts `_ALPHA / RANK` times; both as in the paper's experiments


class LowRank(nn.Module):
    """Adds a product of rank `RANK` to a matrix `[outputs, inputs]`; nothing at first."""

    def __init__(self, outputs: int, inputs: int) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.randn(RANK, inputs) / math.sqrt(inputs))
        self.up = nn.Parameter(torch.zeros(outputs, RANK))

    def forward(self, weight: Tensor) -> Tensor:
        """The sum."""
        return weight + _ALPHA / RANK * (self.up @ self.down)


def adapt(network: nn.Module, names: Sequence[str]) -> list[nn.Parameter]:
    """Gives matrices of a network their products, freezes all else, and returns what is to be fitted.

    Args:
        network: is changed.
        names: of the parameters that may change; of those only the weights of `nn.Linear` are adapted.
    """
    network.requires_grad_(False)
    adapted = list[nn.Parameter]()
    for name, layer in list(network.named_modules()):
        if isinstance(layer, nn.Linear) and f"{name}.weight" in names:
            product = LowRank(layer.out_features, layer.in_features)
            parametrize.register_parametrization(layer, "weight", product)
            adapted += product.parameters()
    return adapted


def merge(network: nn.Module) -> None:
    """Puts the sums in place of the matrices."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear) and parametrize.is_parametrized(layer):
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
