"""Small networks of several families that were never fitted, saved as real checkpoints."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers

IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
HALVES = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
CROPPED = {
    "size": {"shortest_edge": 36},
    "do_center_crop": True,
    "crop_size": {"height": 32, "width": 32},
}
SQUEEZED = {"size": {"height": 32, "width": 32}}
TOKENS = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 32}
STAGES = {"hidden_sizes": [16, 24, 32, 48], "depths": [1, 1, 1, 1]}

Make = Callable[[], Any]
FAMILIES: dict[str, tuple[Make, dict[str, Any]]] = {
    "dinov2": (
        lambda: transformers.Dinov2Model(transformers.Dinov2Config(**TOKENS, patch_size=8, mlp_ratio=2)),
        {**CROPPED, **IMAGENET, "resample": 3},
    ),
    "siglip": (
        lambda: transformers.SiglipVisionModel(
            transformers.SiglipVisionConfig(**TOKENS, intermediate_size=64, patch_size=8)
        ),
        {**SQUEEZED, **HALVES, "resample": 2},
    ),
    "clip": (
        lambda: transformers.CLIPVisionModel(
            transformers.CLIPVisionConfig(**TOKENS, intermediate_size=64, patch_size=8)
        ),
        {**CROPPED, **IMAGENET, "size": {"shortest_edge": 32}, "resample": 3},
    ),
    "vit": (
        lambda: transformers.ViTModel(transformers.ViTConfig(**TOKENS, intermediate_size=64, patch_size=8)),
        {**SQUEEZED, **HALVES, "resample": 2},
    ),
    "convnextv2": (
        lambda: transformers.ConvNextV2Model(transformers.ConvNextV2Config(**STAGES)),
        {"size": {"shortest_edge": 32}, "crop_pct": 0.875, **IMAGENET, "resample": 3},
    ),
    "mobilenet_v2": (
        lambda: transformers.MobileNetV2Model(transformers.MobileNetV2Config(depth_multiplier=0.35, image_size=32)),
        {**CROPPED, **HALVES, "resample": 2},
    ),
    "resnet": (
        lambda: transformers.ResNetModel(
            transformers.ResNetConfig(embedding_size=16, hidden_sizes=[16, 32], depths=[1, 1], layer_type="basic")
        ),
        {"size": {"shortest_edge": 32}, "crop_pct": 0.875, **IMAGENET, "resample": 3},
    ),
}


def save(folder: Path, family: str, *, license_: str | None = "apache-2.0", **fields: Any) -> Path:
    """Saves a checkpoint of a family, with the given fields of `preprocessor_config.json` changed."""
    make, preprocessing = FAMILIES[family]
    torch.manual_seed(0)
    model = make().train()
    with torch.no_grad():  # norms of batches learn what they see; untouched, they let the signal die away
        for _ in range(30):
            model(pixel_values=torch.randn(8, 3, 32, 32))
    model.eval().save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({**preprocessing, **fields}))
    if license_ is not None:
        (folder / "README.md").write_text(f"---\nlicense: {license_}\ntags:\n- vision\n---\n# A network\n")
    return folder
