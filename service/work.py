"""admitted image ──decode──▶ `Work` ──engine──▶ `Outcome`: what one image is on its way."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.errors import ClientError
from models.headers import Header
from models.manifest import ColumnValue, InputSpec
from models.pixels import decode
from models.sessions import Embedding, Probabilities

PIXEL_S = 10e-9
"""What decoding a pixel costs, for estimates."""


class Admitted(NamedTuple):
    """An image whose header and columns were found good."""

    image: bytes
    header: Header
    work_pixels: int
    """What its decoding costs, see `Header.work_pixels`."""
    columns: Mapping[str, ColumnValue] | None
    """Checked columns; None where no decision is wanted."""
    key: bytes
    """In the cache; empty where there is none."""


class Work(NamedTuple):
    """One image to embed unless that was done before, and to decide on unless only its embedding is wanted."""

    pixels: NDArray[np.uint8] | None
    """`[H, W, C]`; None where the embedding is given."""
    columns: Mapping[str, ColumnValue] | None
    """Checked columns; None where no decision is wanted."""
    embedding: Embedding | None = None
    """`[D]`"""
    decode_s: float = 0.0


class Outcome(NamedTuple):
    """What was found for one image; times in seconds."""

    embedding: Embedding
    """`[D]`"""
    probabilities: Probabilities | None
    """`[K]`, None where no decision was wanted."""
    decode_s: float
    queue_s: float
    embed_s: float
    decide_s: float


def decoded(admitted: Admitted, spec: InputSpec) -> Work | ClientError:
    """Decodes an image by the bundle's rule; what is wrong with it is returned, so that its neighbours go on."""
    started = time.perf_counter()
    try:
        pixels = decode(admitted.image, spec, admitted.header)
    except ClientError as error:
        return error.as_value()
    return Work(pixels, admitted.columns, decode_s=time.perf_counter() - started)
