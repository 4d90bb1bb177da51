"""a tuned network and the linear model that was fitted with it ──▶ one network, whose embedding has the outputs, too.

A head is fitted on the images that the network has not seen, which are fewer than those it was fitted on. Without the
outputs it would have to learn again, from less, what the linear model knows.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.backbones.backbone import FrozenNetwork

SIZE = 20.0
"""Of the outputs relative to the embedding: so large that a penalty on a head's weights hardly counts for them."""
_TINY = 1e-12


class TunedNetwork(FrozenNetwork):
    """uint8 `[N, H, W, C]` to the embedding with the linear model's K outputs behind it, float32 `[N, D + K]`.

    Args:
        network: to the embedding `[N, D]`, in evaluation mode.
        linear: from the embedding to K class logits, or to a standardized number.
        sample: embeddings `[S, D]`, by which the outputs are scaled.
    """

    factor: Tensor

    def __init__(self, network: nn.Module, linear: nn.Linear, sample: Tensor) -> None:
        super().__init__()
        self.network, self.linear = network, linear
        with torch.no_grad():
            self.register_buffer("factor", SIZE * _spread(sample) / _spread(linear(sample)).clamp(min=_TINY))
        self.classifier = _Outputs(linear.out_features, self.factor)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Embeds."""
        embedding = self.network(images)
        return torch.cat([embedding, self.factor * self.linear(embedding)], 1)


class _Outputs(nn.Module):
    """The linear model's outputs, from the embedding."""

    factor: Tensor

    def __init__(self, count: int, factor: Tensor) -> None:
        super().__init__()
        self._count = count
        self.register_buffer("factor", factor)

    def forward(self, embedding: Tensor) -> Tensor:
        return embedding[:, -self._count :] / self.factor


def _spread(values: Tensor) -> Tensor:
    """Root mean square of centred columns."""
    return (values - values.mean(0)).square().mean().sqrt()
