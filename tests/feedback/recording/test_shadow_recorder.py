"""`feedback.recording.shadow_recorder`: what a shadow decides is written, or counted as dropped."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import select

from feedback.database.database import Database, DatabaseError
from feedback.database.tables import decision, shadow
from feedback.recording.decision_recorder import Recorder
from feedback.recording.record_queue import MAX_RECORDS, Record, size_of
from feedback.recording.shadow_recorder import ShadowDecision, ShadowDecisions, ShadowRecorder
from models.runtime.head_answers import Answered
from tests.feedback.recording.recordings import PRICE, SHADE, answered, until


def decide(records: Sequence[Record]) -> ShadowDecisions:
    """What the champion decided itself."""
    return ShadowDecisions(
        "tiny@2", [ShadowDecision(record, one, one.answers) for record in records for one in record.decided]
    )


def record(request_id: bytes, *decided: Answered) -> Record:
    return Record(request_id, time.time(), "tiny@1", decided, *size_of(decided))


def written(database: Database) -> list[dict[str, Any]]:
    query = select(shadow, decision.c.request_id, decision.c["index"], decision.c["head"])
    with database.reading() as connection:
        joined = connection.execute(query.join(decision, decision.c.id == shadow.c.decision_id).order_by(shadow.c.id))
        return [dict(row) for row in joined.mappings()]


@pytest.fixture
def recorders(database: Database) -> Iterator[tuple[Recorder, ShadowRecorder]]:
    shadowing = ShadowRecorder(Database(database.engine.url), lambda: True, decide)
    recorder = Recorder(Database(database.engine.url))
    recorder.after = shadowing.put
    recorder.start()
    shadowing.start()
    yield recorder, shadowing
    recorder.close()
    shadowing.close()


def test_decisions_of_the_shadow_stand_beside_those_of_the_champion(
    database: Database, recorders: tuple[Recorder, ShadowRecorder]
) -> None:
    recorder, shadowing = recorders
    recorder.record(b"one", "tiny@1", [answered(heads=(SHADE, PRICE)), answered(place=1, confidence=0.55)])
    until(lambda: len(written(database)) == 3, "three decisions of the shadow")
    found = {(row["index"], row["head"]): row for row in written(database)}
    assert found[0, "shade"]["model"] == "tiny@2"
    assert (found[0, "shade"]["label"], found[0, "shade"]["decision"]) == ("bright", "accept")
    assert found[0, "shade"]["confidence"] == pytest.approx(0.9)
    assert (found[0, "price"]["label"], found[0, "price"]["value"]) == (None, 2.5)
    assert found[1, "shade"]["decision"] == "review"
    assert shadowing.dropped == 0


def test_decisions_that_are_not_recorded_have_no_shadow(database: Database) -> None:
    shadowing = ShadowRecorder(database, lambda: True, decide)
    shadowing.start()
    shadowing.put([record(b"never recorded", answered())])
    shadowing.put([])
    time.sleep(0.1)
    shadowing.close()
    assert written(database) == []


def test_images_beyond_the_room_are_dropped_and_counted(database: Database) -> None:
    shadowing = ShadowRecorder(database, lambda: True, decide)
    shadowing.put([record(b"full", *[answered()] * MAX_RECORDS), record(b"too much", answered())])
    assert shadowing.dropped == 1


def test_images_that_are_not_wanted_are_left_out(database: Database) -> None:
    asked: list[Record] = []

    def see(records: Sequence[Record]) -> ShadowDecisions:
        asked.extend(records)
        return decide(records)

    wanted = iter([True, False, False])
    shadowing = ShadowRecorder(database, lambda: next(wanted), see)
    shadowing.start()
    shadowing.put([record(b"two", answered(), answered(place=1)), record(b"none", answered())])
    until(lambda: bool(asked), "the shadow is asked")
    shadowing.close()
    assert [(one.request_id, len(one.decided)) for one in asked] == [(b"two", 1)]


@pytest.mark.parametrize(
    "error", [RuntimeError("a head fails"), DatabaseError("gone")], ids=["the shadow", "the database"]
)
def test_what_fails_is_counted_and_the_next_is_decided(
    database: Database, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    failing, decided = [True], []

    def fail_once(records: Sequence[Record]) -> None:
        if failing:
            failing.clear()
            raise error
        decided.extend(records)

    shadowing = ShadowRecorder(database, lambda: True, fail_once)
    shadowing.start()
    shadowing.put([record(b"one", answered())])
    until(lambda: shadowing.dropped == 1, "one is dropped")
    shadowing.put([record(b"two", answered())])
    until(lambda: len(decided) == 1, "the next one is decided")
    shadowing.close()
    assert str(error) in caplog.text
