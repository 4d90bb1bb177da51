"""records and their rows ──▶ `Batch`: what is written in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from feedback.recording.decision_rows import COLUMNS, Row
from feedback.recording.record_queue import Record

_SHA256, _TIME = COLUMNS.index("image_sha256"), COLUMNS.index("time")


@dataclass
class Batch:
    """Records and their rows.

    Attributes:
        number: of the batch, in its process.
        images: those of the rows, by their SHA-256; None if they are not kept.
        records: of which the rows are made.
        rows: of the table `decision`.
    """

    number: int
    images: dict[str, bytes] | None = None
    records: list[Record] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    @property
    def decisions(self) -> int:
        """How many are in the records."""
        return sum(record.decisions for record in self.records)

    def image_rows(self) -> list[Row]:
        """Each kept image's SHA-256 and the time of its last decision, sorted, so that no two processes deadlock."""
        return [] if self.images is None else sorted({row[_SHA256]: row[_TIME] for row in self.rows}.items())

    def halves(self) -> Iterator[tuple[Sequence[Row], dict[str, bytes] | None]]:
        """Half of the rows and their images, then the others; an image without a row would be kept for ever."""
        middle = len(self.rows) // 2
        for rows in (self.rows[:middle], self.rows[middle:]):
            yield rows, None if self.images is None else {row[_SHA256]: self.images[row[_SHA256]] for row in rows}
