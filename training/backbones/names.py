"""`--backbone NAME` ──▶ `Backbone`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.exceptions import DataError

if TYPE_CHECKING:
    from training.backbones.backbone import Backbone

DEFAULT = "efficientnet-lite0"
SYNTAX = "efficientnet-lite0, efficientnet-lite2, hf:NAME, hf:FOLDER, timm:NAME or timm:NAME@FILE"


def load_backbone(name: str) -> Backbone:
    """Loads a network by its name.

    Raises:
        DataError: there is none of this name, it cannot be read, or what it needs is not installed.
    """
    from training.backbones import efficientnet_lite, hugging_face, timm_models  # noqa: PLC0415 (import torch)

    source, colon, rest = name.partition(":")
    if colon and rest and source == "hf":
        return hugging_face.load(rest)
    if colon and rest and source == "timm":
        return timm_models.load(rest)
    if name in efficientnet_lite.SIDES:
        return efficientnet_lite.load(name)
    raise DataError(f"there is no backbone {name!r}; it is one of {SYNTAX}")
