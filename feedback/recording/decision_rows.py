"""records ──▶ rows of the table `decision`, as database drivers take them."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from feedback.recording.record_queue import Record
from models.runtime.head_answers import Answered, Classified

COLUMNS = (
    "request_id",
    "index",
    "time",
    "model",
    "head",
    "label",
    "value",
    "confidence",
    "distance",
    "decision",
    "reasons",
    "columns",
    "image_sha256",
    "embedding",
    "probability",
    "audit",
)
"""Of a row, in its order."""

_LARGEST = float(np.finfo(np.float16).max)

Row = tuple[Any, ...]


class RowMaker:
    """Makes rows of records.

    Args:
        sample: probability with which an image is recorded.
        audit: probability with which an accepted decision that is recorded becomes an audit.
        to_time: turns a time, UTC, into what the driver takes for it.
    """

    def __init__(self, *, sample: float, audit: float, to_time: Callable[[datetime], Any]) -> None:
        self._sample, self._audit, self._accepted = sample, audit, sample * audit
        self._to_time = to_time
        self._draw = random.Random().random  # noqa: S311 (seeded by the kernel; an audit is no secret)
        self._second = -1.0
        self._start: Any = None
        self._texts: dict[tuple[str, ...], str] = {}

    def rows(self, records: Sequence[Record], images: dict[str, bytes] | None = None) -> list[Row]:
        """Makes the rows of some records; of an accepted decision it draws here whether it is an audit.

        Args:
            records: any.
            images: takes their images by SHA-256, if given.
        """
        embeddings = _as_float16([answered for record in records for answered in record.decided])
        rows: list[Row] = []
        for record in records:
            request_id, at = record.request_id.decode("ascii"), self._at(record.time)
            for answered in record.decided:
                sha256, embedding = hashlib.sha256(answered.image).hexdigest(), next(embeddings)
                if images is not None:
                    images[sha256] = answered.image
                for head, answer in answered.answers.items():
                    output = answered.result.decisions[head]
                    is_class, accepted = isinstance(answer, Classified), answer.decision == "accept"
                    rows.append(
                        (
                            request_id,
                            answered.place,
                            at,
                            record.model,
                            head,
                            answer[0] if is_class else None,
                            None if is_class else answer[0],
                            answer[1] if is_class else None,
                            output.distance,
                            answer.decision,
                            self._text_of(answer.reasons) if answer.reasons else "[]",
                            json.dumps(dict(output.columns)) if output.columns else "{}",
                            sha256,
                            embedding,
                            self._accepted if accepted else self._sample,
                            accepted and self._draw() < self._audit,
                        )
                    )
        return rows

    def _at(self, time_: float) -> Any:
        """What the driver takes for a time; the part that takes long to make is made once a second."""
        second, part = divmod(time_, 1.0)
        if second != self._second:
            self._second, self._start = second, self._to_time(datetime.fromtimestamp(second, UTC))
        microseconds = int(part * 1e6)
        if isinstance(self._start, str):
            return f"{self._start[:-6]}{microseconds:06d}"
        return self._start.replace(microsecond=microseconds)

    def _text_of(self, reasons: Sequence[str]) -> str:
        """JSON of one of the few combinations of reasons that there are."""
        key = tuple(reasons)
        if key not in self._texts:
            self._texts[key] = json.dumps(key)
        return self._texts[key]


def _as_float16(decided: Sequence[Answered]) -> Iterator[bytes]:
    """Each image's embedding as little-endian float16 `[D]`; numbers that float16 has not become its largest."""
    rows = [answered.result.row for answered in decided]
    flat = np.clip(np.concatenate(rows), -_LARGEST, _LARGEST).astype("<f2").tobytes()
    at = 0
    for row in rows:
        yield flat[at : at + 2 * row.size]
        at += 2 * row.size
