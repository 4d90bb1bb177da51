"""rows that are not scored yet ──▶ `Chunk`: images that one process scores at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from models.errors import BadColumns

if TYPE_CHECKING:  # the notation of tables takes a while to load
    from models.tables.known_columns import Value

CHUNK = 256
"""Images that are handed out at once: 0.05 s of the smallest network, some seconds of large photographs."""

Span = tuple[int, int]
"""First row and the one behind the last, counted from 0."""
Columns = Mapping[str, "Value"]
"""Values of one image's columns by their names, or what is wrong with them."""


class Failed(NamedTuple):
    """Why an image has no decision."""

    code: str
    """As the service names it, such as `bad_image`; `unreadable` for a file that cannot be read."""
    detail: str


Image = str | bytes | Failed
"""The path of an image, its encoded bytes, or why there are none."""


class Chunk(NamedTuple):
    """Some images of the input, in its order."""

    first: int
    """Row of the first image, counted from 0."""
    images: list[Image]
    columns: list[Columns]
    """For each image; empty if no head takes columns."""


def missing_spans(done: Iterable[Span], total: int) -> list[Span]:
    """The rows below `total` that are in none of the spans.

    Raises:
        ValueError: two spans overlap.
    """
    spans, at = [], 0
    for first, end in sorted(done):
        if first < at:
            raise ValueError(f"rows {first} to {at - 1} are there twice")
        if at < min(first, total):
            spans.append((at, min(first, total)))
        at = end
    return [*spans, (at, total)] if at < total else spans


def split(spans: Iterable[Span], size: int) -> Iterator[Span]:
    """Splits spans at the multiples of a size."""
    for first, end in spans:
        at = first
        while at < end:
            upto = min(end, (at // size + 1) * size)
            yield at, upto
            at = upto


def first_error(columns: Columns) -> BadColumns | None:
    """What is wrong with an image's columns, if anything is."""
    return next((value for value in columns.values() if isinstance(value, BadColumns)), None)
