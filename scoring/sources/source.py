"""`Source`: the images of INPUT in a fixed order, with the columns beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.tables.known_columns import Value
from scoring.chunks import CHUNK, Chunk, Columns, Image, Span, split


@dataclass(frozen=True)
class Source:
    """Images at rest.

    Attributes:
        described: what was found, in a sentence.
        fingerprint: changes with the input.
        kept: `path` and the columns that the output has as well, a pyarrow table of a row for each image.
        images: gives the images of a span; spans are asked for in ascending order.
        columns: values for the heads, by the names of the columns; one for each image.
        is_table: whether it was read as a table says.
        notes: sentences on what was left out.
    """

    described: str
    fingerprint: str
    kept: Any
    images: Callable[[Span], list[Image]]
    columns: Mapping[str, Sequence[Value]] = field(default_factory=dict)
    is_table: bool = False
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return int(self.kept.num_rows)

    def chunks(self, spans: Iterable[Span]) -> Iterator[Chunk]:
        """The images of spans, in chunks."""
        for first, end in split(spans, CHUNK):
            yield Chunk(first, self.images((first, end)), self._columns(first, end))

    def _columns(self, first: int, end: int) -> list[Columns]:
        if not self.columns:
            return []
        rows = zip(*(values[first:end] for values in self.columns.values()), strict=True)
        return [dict(zip(self.columns, row, strict=True)) for row in rows]
