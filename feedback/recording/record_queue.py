"""decided images ──▶ `RecordQueue` ──▶ the writer: bounded in records and in bytes, and it never waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from models.runtime.head_answers import Answered

MAX_RECORDS = 5_000
"""Decisions. Python's collector visits what waits: 10,000 held it, and the event loop, for 20 ms at a time."""
MAX_BYTES = 64 * 1024 * 1024
RECORD_BYTES = 2048
"""What a record takes in memory beside its image and texts: arrays, tuples and dictionaries, rounded up."""


class Record(NamedTuple):
    """The images of one request that are recorded.

    Attributes:
        request_id: of the request, ASCII.
        time: of the answer, seconds since the epoch.
        model: `name@version`.
        decided: the images.
        decisions: their number, one for each image and head.
        size_bytes: what the record keeps in memory, about.
    """

    request_id: bytes
    time: float
    model: str
    decided: Sequence[Answered]
    decisions: int
    size_bytes: int


class RecordQueue:
    """Records that wait for the writer.

    One thread puts and another takes. Neither locks: each total is written by one of them alone.
    """

    def __init__(self) -> None:
        self._records: deque[Record] = deque()
        self._put_count = self._put_bytes = 0
        self._done_count = self._done_bytes = 0

    @property
    def waiting(self) -> int:
        """Decisions that are not done."""
        return self._put_count - self._done_count

    def put(self, record: Record) -> bool:
        """Adds a record; False if there is no room for it."""
        if (
            self._put_count - self._done_count + record.decisions > MAX_RECORDS
            or self._put_bytes - self._done_bytes + record.size_bytes > MAX_BYTES
        ):
            return False
        self._put_count += record.decisions
        self._put_bytes += record.size_bytes
        self._records.append(record)
        return True

    def take(self, most: int) -> list[Record]:
        """Removes the oldest records, of `most` decisions or a little more; they take room until they are `done`."""
        taken: list[Record] = []
        count = 0
        while count < most and self._records:
            taken.append(self._records.popleft())
            count += taken[-1].decisions
        return taken

    def done(self, records: Sequence[Record]) -> None:
        """Gives back the room of records that were taken."""
        self._done_count += sum(record.decisions for record in records)
        self._done_bytes += sum(record.size_bytes for record in records)


def size_of(decided: Sequence[Answered]) -> tuple[int, int]:
    """Counts the decisions on some images, and the bytes that they keep in memory, about."""
    count = size_bytes = 0
    for answered in decided:
        count += len(answered.answers)
        size_bytes += len(answered.image) + sum(map(len, answered.others))
        if answered.result.photos is not None:
            size_bytes += answered.result.photos.nbytes
        for name in answered.answers:
            columns = answered.result.decisions[name].columns
            if columns:
                size_bytes += sum(len(value) for value in columns.values() if isinstance(value, str))
    return count, size_bytes + RECORD_BYTES * count
