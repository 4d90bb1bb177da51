"""pixels ──▶ embedding: scaling and features, and the classifier that a network is fitted with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.network.presets import Hyperparameters
from training.network.recurrent import RecurrentFeatures
from training.network.residual import ResidualFeatures
from training.network.transformer import TransformerFeatures

_FEATURES = {"cnn": ResidualFeatures, "cct": TransformerFeatures, "gru": RecurrentFeatures}


class Classifier(nn.Linear):
    """Class logits from the last numbers of an embedding; those before them were not made to tell classes apart."""

    def forward(self, embedding: Tensor) -> Tensor:
        """Float `[N, D]` to `[N, K]`."""
        return super().forward(embedding[:, -self.in_features :])


class EmbeddingNetwork(nn.Module):
    """Scaling and features: the part that is exported; and a linear classifier, used to fit it."""

    mean: Tensor
    std: Tensor

    def __init__(self, hyperparameters: Hyperparameters, *, channels: int, image_size: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))
        make = _FEATURES[hyperparameters.network]
        self.features = make(hyperparameters, channels=channels, image_size=image_size)
        self.classifier = Classifier(hyperparameters.embedding_width, classes)

    def normalize(self, images: Tensor) -> Tensor:
        """uint8 `[N, H, W, C]` to float32 `[N, C, H, W]` with the training data's mean 0 and deviation 1."""
        return ((images.float() - self.mean) / self.std).permute(0, 3, 1, 2)

    def embed_normalized(self, x: Tensor) -> Tensor:
        """Float `[N, C, H, W]` to the embedding, `[N, D]`."""
        return self.features(x)  # type: ignore[no-any-return]

    def classify_normalized(self, x: Tensor) -> Tensor:
        """Float `[N, C, H, W]` to class logits, float32 `[N, K]`; the classifier always in full precision."""
        embedding = self.embed_normalized(x)
        with torch.autocast(x.device.type, enabled=False):
            return self.classifier(embedding.float())  # type: ignore[no-any-return]

    def forward(self, images: Tensor) -> Tensor:
        """uint8 `[N, H, W, C]` to the embedding float32 `[N, D]`: the graph that is exported."""
        return self.embed_normalized(self.normalize(images))
