"""admitted image ──decode──▶ `Work` ──engine──▶ `Outcome`: what one image is on its way."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.bundle.input_spec import InputSpec
from models.columns import ColumnValue
from models.errors import ClientError
from models.imaging.decode import Warn, decode
from models.imaging.types import Header
from models.runtime.sessions import Embedding, Interval, Probabilities
from service.api.schemas import Explanation

PIXEL_S = 10e-9
"""What decoding a pixel costs, for estimates."""


Asked = Mapping[str, Mapping[str, ColumnValue]]
"""The names of the heads that are to decide, with the checked columns of each; empty where only the embedding is
wanted."""


class Admitted(NamedTuple):
    """An image whose header and columns were found good."""

    image: bytes
    header: Header
    work_pixels: int
    """What its decoding costs, see `Header.work_pixels`."""
    asked: Asked
    key: bytes
    """In the cache; empty where there is none."""


class Work(NamedTuple):
    """One image to embed unless that was done before, and to decide on as it is asked."""

    pixels: NDArray[np.uint8] | None
    """`[H, W, C]`; None where the embedding is given."""
    asked: Asked
    embedding: Embedding | None = None
    """`[D]`"""
    decode_s: float = 0.0


class Found(NamedTuple):
    """What one head found in one image."""

    output: Probabilities
    """`[K]`, or the one value `[1]`."""
    columns: Mapping[str, ColumnValue]
    """That it was given."""
    distance: float | None = None
    """Of the embedding from those of training, where somebody looks."""
    interval: Interval | None = None
    """Bounds of the value, `[2]`, where the head has any."""


class Outcome(NamedTuple):
    """What was found for one image; times in seconds."""

    embedding: Embedding
    """`[D]`"""
    decisions: Mapping[str, Found]
    """By the name of each head that was asked."""
    decode_s: float
    queue_s: float
    embed_s: float
    decide_s: float
    explanations: Mapping[str, Explanation] | None = None
    """By the name of each head; None where nobody asked why."""


def decoded(admitted: Admitted, spec: InputSpec, warn: Warn) -> Work | ClientError:
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
    return Work(pixels, admitted.asked, decode_s=time.perf_counter() - started)
