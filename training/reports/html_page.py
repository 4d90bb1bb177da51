"""template and values ──▶ HTML text: everything escaped, numbers and pictures in the form that a person reads."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from numpy.typing import NDArray
from PIL import Image

from training.data.images import with_aspect

PIXELATED_SIDE = 48
"""Images up to this many pixels a side are embedded as they are, larger ones as thumbnails."""
THUMBNAIL_SIDE = 128

_DASH = "\N{EN DASH}"


def fill(template: str, values: Mapping[str, object]) -> str:
    """Fills in a template of `templates/`; every value is escaped, and a missing one raises `UndefinedError`."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=percent,
        decimals=decimals,
        thousands=thousands,
        duration=duration,
        megabytes=megabytes,
        shade=shade,
        data_uri=data_uri,
        figures=figures,
    )
    environment.tests["pixelated"] = is_pixelated
    return environment.get_template(template).render(values)


def percent(share: float, digits: int) -> str:
    """0.9486 as `94.86 %`, with a space that does not break; a dash for what is not finite."""
    return f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%" if math.isfinite(share) else _DASH


def decimals(value: float, digits: int = 3) -> str:
    """A fixed number of decimals; a dash for what is not finite."""
    return f"{value:.{digits}f}" if math.isfinite(value) else _DASH


def figures(value: float) -> str:
    """Four digits of a number of any size, large ones without an exponent; a dash for what is not finite."""
    if not math.isfinite(value):
        return _DASH
    return f"{value:,.4g}" if abs(value) < 9999.5 else f"{float(f'{value:.4g}'):,.0f}"


def thousands(value: int) -> str:
    """1234567 as `1,234,567`."""
    return f"{value:,}"


def megabytes(size_bytes: int) -> str:
    """`2.73 MB`, or `41 kB` where that says more."""
    return f"{size_bytes / 1e6:.2f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1e3:.0f} kB"


def duration(seconds: float) -> str:
    """`12.3 s`, `2 min 05 s` or `1 h 02 min`."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def shade(share: float) -> int:
    """How strongly a cell is coloured, 0 to 60 %: by the root, so that 1 % is seen beside 20 % and text is legible."""
    return round(min(60.0, 110 * math.sqrt(share)))


def is_pixelated(image: NDArray[np.uint8]) -> bool:
    """Whether an image `[H, W, C]` is so small that it is shown pixel by pixel."""
    return bool(max(image.shape[:2]) <= PIXELATED_SIDE)


def data_uri(image: NDArray[np.uint8], aspect: float | None = None) -> str:
    """uint8 `[H, W, C]` as a lossless PNG where it is small, else as a JPEG thumbnail.

    Args:
        image: the pixels.
        aspect: width over height that it is given; None to leave it as it is.
    """
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    if aspect is not None:
        picture = with_aspect(picture, aspect)
    kind, buffer = "png", io.BytesIO()
    if not is_pixelated(image):
        picture.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
        kind = "jpeg"
    picture.save(buffer, kind, optimize=True)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def flatten(settings: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Names and values line by line; what is nested gets a dotted name."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}.")
        elif isinstance(value, (list, tuple)):
            yield f"{prefix}{name}", ", ".join(map(str, value)) or _DASH
        else:
            yield f"{prefix}{name}", f"{value:.6g}" if isinstance(value, float) else str(value)
