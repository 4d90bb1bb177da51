"""How numbers are told to a person."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from training.reports import html_page


@pytest.mark.parametrize(
    ("size_bytes", "text"), [(0, "0 kB"), (41_400, "41 kB"), (99_999, "100 kB"), (2_734_000, "2.73 MB")]
)
def test_sizes_are_told_in_the_unit_that_says_more(size_bytes: int, text: str) -> None:
    assert html_page.megabytes(size_bytes) == text


@pytest.mark.parametrize(
    ("side", "aspect", "size"),
    [
        (224, None, (128, 128)),
        (224, 1.0, (128, 128)),
        (224, 4 / 3, (128, 96)),
        (224, 0.25, (32, 128)),
        (224, 40.0, (128, 32)),
        (28, 1.5, (42, 28)),
        (28, None, (28, 28)),
    ],
    ids=["unknown", "square", "wide", "high", "a line", "small", "small as it is"],
)
def test_a_picture_gets_the_proportions_that_it_had(side: int, aspect: float | None, size: tuple[int, int]) -> None:
    uri = html_page.data_uri(np.zeros((side, side, 3), np.uint8), aspect)
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as picture:
        assert picture.size == size
