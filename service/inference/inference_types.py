"""admitted image ──decode──▶ `EngineInput`, the engine's input."""

from __future__ import annotations

import time
from typing import NamedTuple

from models.bundle.input_spec import InputSpec
from models.errors import ClientError
from models.imaging.decode import Warn, decode
from models.imaging.types import Header
from models.runtime.engine_types import Asked, EngineInput

PIXEL_S = 10e-9
"""What decoding a pixel costs, for estimates."""


class Admitted(NamedTuple):
    """An image whose header and columns were found good."""

    image: bytes
    header: Header
    work_pixels: int
    """What its decoding costs, see `Header.work_pixels`."""
    asked: Asked
    key: bytes
    """In the cache; empty where there is none."""


def decoded(admitted: Admitted, spec: InputSpec, warn: Warn) -> EngineInput | ClientError:
    """Decodes an image by the bundle's rule; what is wrong with it is returned, so that its neighbours go on.

    Args:
        admitted: the image.
        spec: the bundle's rule.
        warn: is called with the kind of each harmless fault that was mended, in the thread that decodes.
    """
    started = time.perf_counter()
    try:
        pixels = decode(admitted.image, spec, admitted.header, warn=warn)
    except ClientError as error:
        return error.as_value()
    return EngineInput(pixels, admitted.asked, decode_s=time.perf_counter() - started)
