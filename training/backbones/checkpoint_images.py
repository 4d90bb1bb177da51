"""`preprocessor_config.json` of a checkpoint ──▶ `Preprocessing`: how images become the network's input.

The fields are those that the image processors of `transformers` write. What our decoder cannot do as the checkpoint
wants it is refused: a network that sees other pixels than it was fitted on is worse, and nobody is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.bundle.input_spec import InputSpec, Resize
from training.exceptions import DataError

_FILTERS: dict[int, Resize] = {1: "lanczos", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers
_WHOLE_FROM = 384
"""ConvNeXt's processor crops below this side and squeezes from it on, `crop_pct` or not."""


@dataclass(frozen=True)
class Preprocessing:
    """Pixels, and what is done to their grey levels.

    Attributes:
        input: size, fit and filter.
        mean: grey levels, 0 to 255, by channel.
        deviation: likewise; a level becomes (level - mean) / deviation.
    """

    input: InputSpec
    mean: tuple[float, ...]
    deviation: tuple[float, ...]


def read_preprocessing(config: Mapping[str, Any], name: str) -> Preprocessing:
    """Reads the file's fields.

    Args:
        config: the fields.
        name: of the checkpoint, for messages.

    Raises:
        DataError: a field is missing, or asks for what the decoder cannot do.
    """
    return _Reader(config, name).read()


class _Reader:
    def __init__(self, config: Mapping[str, Any], name: str) -> None:
        self._config = config
        self._name = name

    def read(self) -> Preprocessing:
        if not self._config.get("do_resize", True):
            raise self._refused("do_resize", "false; images of every size need one rule that brings them to one size")
        size = self._size()
        shortest = size.get("shortest_edge")
        if "crop_pct" in self._config and shortest is not None and self._config["crop_pct"] is not None:
            share = 1.0 if shortest >= _WHOLE_FROM else shortest / int(shortest / self._config["crop_pct"])
            spec = self._spec(shortest, shortest, "stretch" if shortest >= _WHOLE_FROM else "crop", share)
        elif shortest is not None:
            spec = self._cropped(shortest)
        elif size.keys() >= {"height", "width"}:
            spec = self._stretched(size["height"], size["width"])
        else:
            raise self._refused("size", f"{self._config['size']}; known are height and width, and shortest_edge")
        return Preprocessing(spec, *self._levels())

    def _size(self) -> dict[str, int]:
        """Sides by name; the one number of old versions is the shortest edge where a crop follows."""
        size = self._get("size")
        is_edge = not isinstance(size, Mapping) and self._config.get("do_center_crop")
        return {"shortest_edge": int(size)} if is_edge else _sides(size)

    def _cropped(self, shortest: int) -> InputSpec:
        if not self._config.get("do_center_crop"):
            raise self._refused("size", f"the shortest edge alone, {shortest}, with no crop: inputs of any shape")
        crop = _sides(self._get("crop_size"))
        height, width = (crop[key] if key in crop else crop["shortest_edge"] for key in ("height", "width"))
        if max(height, width) > shortest:
            raise self._refused("crop_size", f"{height}x{width}, larger than the shortest edge, {shortest}")
        return self._spec(height, width, "crop", max(height, width) / shortest)

    def _stretched(self, height: int, width: int) -> InputSpec:
        if self._config.get("do_center_crop"):
            crop = _sides(self._get("crop_size"))
            if (crop.get("height", height), crop.get("width", width)) != (height, width):
                raise self._refused("crop_size", f"{crop} of images that were squeezed to {height}x{width} before")
        return self._spec(height, width, "stretch", 1.0)

    def _spec(self, height: int, width: int, fit: str, center: float) -> InputSpec:
        number = int(self._config.get("resample", 0))
        if number not in _FILTERS:
            raise self._refused("resample", f"{number}; known are {', '.join(map(str, _FILTERS))}")
        fields = {"height": height, "width": width, "channels": 3, "resize": _FILTERS[number], "fit": fit}
        return InputSpec.model_validate({**fields, "center": center, "decoder": "fraction"})

    def _levels(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and deviation, in grey levels."""
        scale = 1 / float(self._config.get("rescale_factor", 1 / 255)) if self._config.get("do_rescale", True) else 1.0
        if not self._config.get("do_normalize", True):
            return (0.0,) * 3, (scale,) * 3
        mean, deviation = self._get("image_mean"), self._get("image_std")
        if len(mean) != 3 or len(deviation) != 3 or min(deviation) <= 0:
            raise self._refused(
                "image_mean and image_std", f"{mean} and {deviation}; three channels, deviations above 0"
            )
        return tuple(scale * value for value in mean), tuple(scale * value for value in deviation)

    def _get(self, field: str) -> Any:
        if self._config.get(field) is None:
            raise self._refused(field, "missing")
        return self._config[field]

    def _refused(self, field: str, what: str) -> DataError:
        return DataError(f"{self._name}: {field} of preprocessor_config.json is {what}")


def _sides(size: Any) -> dict[str, int]:
    """Sides by name; files of old versions have one number for both."""
    return dict(size) if isinstance(size, Mapping) else {"height": int(size), "width": int(size)}
