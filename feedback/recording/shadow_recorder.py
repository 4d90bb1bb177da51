"""recorded decisions ──▶ what a second model decides on the same images ──▶ the table `shadow`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from feedback.database.database import Database, DatabaseError
from feedback.recording.record_queue import Record, RecordQueue, size_of
from models.runtime.head_answers import Answered, Classified, Estimated

logger = logging.getLogger(__name__)

BATCH_DECISIONS = 128
CLOSE_WITHIN_S = 1.0

Answers = Mapping[str, Classified | Estimated]
"""By head."""


class ShadowDecision(NamedTuple):
    """What a shadow model decides on one image of a record, by each head; none if it does not."""

    record: Record
    answered: Answered
    answers: Answers


class ShadowDecisions(NamedTuple):
    """What a shadow model, `name@version`, decides on the images of some records."""

    model: str
    decisions: Sequence[ShadowDecision]


Decide = Callable[[Sequence[Record]], ShadowDecisions | None]
"""Has the shadow model decide, on the recorder's thread; None if there is none any more."""


class ShadowRecorder:
    """A thread that has a shadow model decide, and writes what it decides.

    Args:
        database: where the decisions are.
        wants: draws whether the shadow decides on the next image; asked on the writer's thread.
        decide: see `Decide`.
    """

    def __init__(self, database: Database, wants: Callable[[], bool], decide: Decide) -> None:
        self.dropped = 0
        """Decisions that the shadow was too slow for, that it could not make, or that could not be written."""
        self._database = database
        self._wants = wants
        self._decide = decide
        self._queue = RecordQueue()
        self._is_there = threading.Event()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)

    def start(self) -> None:
        """Begins to wait for records."""
        self._thread.start()

    def put(self, records: Sequence[Record]) -> None:
        """Takes records whose decisions have been written; to be called by one thread."""
        for record in records:
            decided = [answered for answered in record.decided if self._wants()]
            count, size_bytes = size_of(decided)
            if count and not self._queue.put(record._replace(decided=decided, decisions=count, size_bytes=size_bytes)):
                self.dropped += count
        self._is_there.set()

    def close(self) -> None:
        """Ends the thread after the batch that it works on."""
        self._is_closing = True
        self._is_there.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_WITHIN_S)

    def _run(self) -> None:
        while self._is_there.wait() and not self._is_closing:
            self._is_there.clear()
            while not self._is_closing and (records := self._queue.take(BATCH_DECISIONS)):
                self._record(records)
                self._queue.done(records)
        self._database.close()

    def _record(self, records: Sequence[Record]) -> None:
        try:
            decided = self._decide(records)
            if decided is not None:
                self._write(decided)
        except DatabaseError as error:
            self.dropped += sum(record.decisions for record in records)
            logger.warning("decisions of the shadow are not written: %s", error)
        except Exception:  # whatever it is, the shadow must not end with one batch
            self.dropped += sum(record.decisions for record in records)
            logger.exception("the shadow cannot decide")

    def _write(self, decided: ShadowDecisions) -> None:
        """Writes what was decided beside recorded decisions; of two of one name, beside the newest."""
        rows = [
            (one.record.request_id.decode("ascii"), one.answered.place, head, decided.model, *_values(answer))
            for one in decided.decisions
            for head, answer in one.answers.items()
        ]
        if rows:
            with self._database.writing() as connection:
                statement = _insert_statement(len(rows), "?" if self._database.is_sqlite else "%s")
                connection.exec_driver_sql(statement, tuple(chain.from_iterable(rows)))


def _values(answer: Classified | Estimated) -> tuple[object, ...]:
    """Label, value, confidence and decision."""
    if isinstance(answer, Classified):
        return answer.label, None, answer.confidence, answer.decision
    return None, answer.value, None, answer.decision


@lru_cache(maxsize=2 * BATCH_DECISIONS)
def _insert_statement(rows: int, mark: str) -> str:
    values = ", ".join([f"({', '.join([mark] * 8)})"] * rows)
    return (
        "INSERT INTO shadow (decision_id, model, label, value, confidence, decision) "  # noqa: S608 (placeholders)
        "SELECT * FROM (SELECT (SELECT max(id) FROM decision"
        ' WHERE request_id = column1 AND "index" = column2 AND head = column3) AS decision_id,'
        " column4, column5, CAST(column6 AS DOUBLE PRECISION), CAST(column7 AS DOUBLE PRECISION), column8"
        f" FROM (VALUES {values}) AS decided) AS found WHERE decision_id IS NOT NULL"
    )
