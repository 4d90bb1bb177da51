"""How numbers are told to a person."""

from __future__ import annotations

import pytest

from training import page


@pytest.mark.parametrize(
    ("size_bytes", "text"), [(0, "0 kB"), (41_400, "41 kB"), (99_999, "100 kB"), (2_734_000, "2.73 MB")]
)
def test_sizes_are_told_in_the_unit_that_says_more(size_bytes: int, text: str) -> None:
    assert page.megabytes(size_bytes) == text
