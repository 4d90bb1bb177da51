"""`hf:NAME` or `hf:FOLDER` ──▶ `Backbone`: a checkpoint of Hugging Face, by `transformers`.

A name is looked up in the cache of `huggingface_hub`, then on the hub, where that can be reached; a folder is what
`save_pretrained` writes. Weights are read from safetensors alone, since the other format runs code, and no code of a
checkpoint is run. `preprocessor_config.json` says how images become the input.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from training.backbones.backbone import Backbone, ScaledNetwork
from training.backbones.checkpoint_images import read_preprocessing
from training.exceptions import DataError


def _pooler_output(found: Any) -> Tensor:
    embedding: Tensor = found.pooler_output.flatten(1)
    return embedding


def _first_token(found: Any) -> Tensor:
    embedding: Tensor = found.last_hidden_state[:, 0]
    return embedding


class _Family(NamedTuple):
    """How a family of models embeds.

    Attributes:
        model: its class in `transformers`, without a head.
        pool: what is taken of its output.
        options: of the class.
    """

    model: str
    pool: Callable[[Any], Tensor] = _pooler_output
    options: Mapping[str, bool] = {}


_FAMILIES = {
    "clip": _Family("CLIPVisionModel"),
    "clip_vision_model": _Family("CLIPVisionModel"),
    "convnext": _Family("ConvNextModel"),
    "convnextv2": _Family("ConvNextV2Model"),
    "dinov2": _Family("Dinov2Model"),
    "dinov2_with_registers": _Family("Dinov2WithRegistersModel"),
    "dinov3_convnext": _Family("DINOv3ConvNextModel"),
    "dinov3_vit": _Family("DINOv3ViTModel"),
    "mobilenet_v1": _Family("MobileNetV1Model"),
    "mobilenet_v2": _Family("MobileNetV2Model"),
    "resnet": _Family("ResNetModel"),
    "siglip": _Family("SiglipVisionModel"),  # SigLIP2's checkpoints of one size are of this family, too
    "siglip_vision_model": _Family("SiglipVisionModel"),
    # checkpoints bring no fitted pooler
    "vit": _Family("ViTModel", _first_token, {"add_pooling_layer": False}),
}
"""By the `model_type` of a checkpoint."""
_LICENSE = re.compile(r"^license:\s*['\"]?([\w.-]+)", re.MULTILINE)
_LICENSE_NAME = re.compile(r"^license_name:\s*['\"]?([\w.-]+)", re.MULTILINE)


def load(source: str) -> Backbone:
    """Loads a checkpoint.

    Args:
        source: name on the hub, or folder.

    Raises:
        DataError: `transformers` is not installed; there is no such checkpoint; its family is not known; it has no
            safetensors, lacks weights, or its images cannot be made as it wants them.
    """
    try:
        import transformers  # noqa: PLC0415 (an extra)
    except ImportError as error:
        raise DataError(
            f"hf:{source}: transformers is not installed; pip install '.[huggingface]' ({error})"
        ) from error
    name = f"hf:{source}"
    try:
        config = transformers.AutoConfig.from_pretrained(source)
        if config.model_type not in _FAMILIES:
            raise DataError(f"{name}: {config.model_type!r} is none of the families {', '.join(sorted(_FAMILIES))}")
        family = _FAMILIES[config.model_type]
        preprocessing = read_preprocessing(_fields(source), name)
        model = _model(source, family, name)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{name}: {_first_line(error)}") from error
    network = ScaledNetwork(model, preprocessing, family.pool).eval()
    spec = preprocessing.input
    try:
        with torch.no_grad():
            network(torch.zeros(1, spec.height, spec.width, spec.channels, dtype=torch.uint8))
    except (ValueError, RuntimeError) as error:
        raise DataError(f"{name} does not take images of {spec.height}x{spec.width}: {_first_line(error)}") from error
    return Backbone(name, network, spec, _license(source))


def _model(source: str, family: _Family, name: str) -> nn.Module:
    import transformers  # noqa: PLC0415

    model, loaded = getattr(transformers, family.model).from_pretrained(
        source, use_safetensors=True, output_loading_info=True, dtype=torch.float32, **family.options
    )
    if missing := sorted(loaded["missing_keys"]):
        raise DataError(f"{name} lacks {len(missing)} of the weights of {family.model}, such as {missing[0]}")
    result: nn.Module = model
    return result


def _fields(source: str) -> dict[str, Any]:
    file = _file(source, "preprocessor_config.json")
    if file is None:
        raise DataError(f"hf:{source} has no preprocessor_config.json, which says how images become the input")
    return dict(json.loads(file.read_text()))


def _license(source: str) -> str:
    """As the model card names it; empty if it does not."""
    file = _file(source, "README.md")
    head = "" if file is None else file.read_text(errors="replace").partition("\n---")[0]
    found = _LICENSE.search(head)
    if found is not None and found[1] == "other":
        found = _LICENSE_NAME.search(head)
    return "" if found is None else found[1].lower()


def _file(source: str, file: str) -> Path | None:
    from transformers.utils.hub import cached_file  # noqa: PLC0415

    found = cached_file(source, file, _raise_exceptions_for_missing_entries=False)
    return None if found is None else Path(found)


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0]
