"""`timm:NAME` or `timm:NAME@FILE` ──▶ `Backbone`: a model of timm, with weights of the hub or of a safetensors file.

timm needs torchvision. The one of PyPI is built for the CUDA build of torch and cannot be imported beside the CPU
build; there, `load` says so.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from training.backbones.backbone import Backbone, ScaledNetwork
from training.backbones.checkpoint_images import read_preprocessing
from training.exceptions import DataError

_PILLOW = {"lanczos": 1, "bilinear": 2, "bicubic": 3}


def load(source: str) -> Backbone:
    """Loads a model.

    Args:
        source: timm's name of a model, with `@FILE` for weights in a safetensors file.

    Raises:
        DataError: timm cannot be imported; there is no such model; the weights cannot be read.
    """
    model_name, _, file = source.partition("@")
    name = f"timm:{source}"
    try:
        import timm  # noqa: PLC0415 (an extra)
    except (ImportError, RuntimeError) as error:  # the second where torchvision and torch do not fit
        raise DataError(
            f"{name}: timm cannot be imported, as it needs a torchvision that fits torch ({error})"
        ) from error
    if file and not file.endswith(".safetensors"):
        raise DataError(f"{name}: {file} is no .safetensors file; other formats run code when they are read")
    try:
        weights: dict[str, Any] = {"checkpoint_path": file} if file else {"pretrained": True}
        model = timm.create_model(model_name, num_classes=0, **weights).eval()
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(f"{name}: {str(error).strip().splitlines()[0]}") from error
    config = timm.data.resolve_model_data_config(model)
    preprocessing = read_preprocessing(_fields(config), name)
    license_name = str(model.pretrained_cfg.get("license") or "")
    return Backbone(name, ScaledNetwork(model, preprocessing, nn.Identity()).eval(), preprocessing.input, license_name)


def _fields(config: dict[str, Any]) -> dict[str, Any]:
    """Timm's own words in those of `preprocessor_config.json`."""
    _, height, width = config["input_size"]
    is_squeezed = config.get("crop_mode") == "squash"
    side = round(max(height, width) / config["crop_pct"])
    fields = {
        "resample": _PILLOW.get(config["interpolation"], 0),
        "image_mean": config["mean"],
        "image_std": config["std"],
    }
    if is_squeezed:
        return {**fields, "size": {"height": height, "width": width}}
    crop = {"height": height, "width": width}
    return {**fields, "size": {"shortest_edge": side}, "do_center_crop": True, "crop_size": crop}
