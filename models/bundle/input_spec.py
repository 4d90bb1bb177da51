"""`InputSpec`: how an encoded image becomes the embedder's input."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from models.frozen import Frozen

Fit = Literal["stretch", "pad", "crop"]
Resize = Literal["bilinear", "bicubic", "lanczos"]


class InputSpec(Frozen):
    """Size, channels and decoding rule of the embedder's input, uint8 `[height, width, channels]`."""

    height: int = Field(ge=1, le=4096)
    width: int = Field(ge=1, le=4096)
    channels: Literal[1, 3]
    resize: Resize = "bilinear"
    """The filter, with antialiasing."""
    fit: Fit = Field(default="stretch", exclude_if=lambda fit: fit == "stretch")
    """What happens to an image of another aspect ratio. `stretch` changes the ratio. `pad` keeps the whole image and
    fills the rest with the background. `crop` takes the largest centred part that has the input's ratio."""
    center: float = Field(default=1.0, gt=0, le=1, exclude_if=lambda center: center == 1)
    """Share of the sides of that part that is kept, about its centre; only with `crop`."""
    decoder: Literal["full", "fraction"] = "full"
    """Size at which a JPEG is decoded: its own, or the smallest of 1/1, 1/2, 1/4 and 1/8 of it whose sides, upright,
    are at least 7/8 of what the input needs. PNG and WebP are always decoded at full size."""
    background: int = Field(default=255, ge=0, le=255)
    """Grey level behind transparent pixels and around a padded image."""

    @property
    def of_inputs(self) -> InputSpec:
        """The same for images that were fitted before, of which nothing more is left out."""
        return self.model_copy(update={"center": 1.0})

    @model_validator(mode="after")
    def _check(self) -> InputSpec:
        if self.center < 1 and self.fit != "crop":
            raise ValueError(f"center is {self.center:g}, but fit is {self.fit!r}; only 'crop' leaves out a border")
        return self
