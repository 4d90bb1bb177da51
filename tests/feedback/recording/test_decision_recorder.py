"""Decisions are in the database a moment later, each once, whatever becomes of the database meanwhile."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from feedback.database.database import Database, DatabaseError
from feedback.recording import decision_recorder
from feedback.recording.batch_writer import BatchWriter
from feedback.recording.decision_recorder import Recorder, Shares
from feedback.recording.record_queue import MAX_RECORDS
from tests.cpu_cost import relative_cost
from tests.feedback.recording.recordings import PRICE, SHADE, answered, rows, until

SOON_S = 5.0


@contextlib.contextmanager
def recording(database: Database, **shares: float) -> Iterator[Recorder]:
    recorder = Recorder(database, Shares(**shares))
    recorder.start()
    try:
        yield recorder
    finally:
        recorder.close()


def test_a_row_says_what_was_decided_and_on_what(database: Database) -> None:
    before = datetime.now(UTC)
    with recording(database, sample=1.0, audit=0.0) as recorder:
        images = [answered(b"one", columns={"place": "Ulm\0"}, heads=(SHADE, PRICE)), answered(b"two", place=1)]
        recorder.record(b"request-1", "tiny@3", images)
    one, price, two = rows(database)
    assert before - timedelta(seconds=1) < one.pop("time") < datetime.now(UTC)
    assert np.frombuffer(one.pop("embedding"), "<f2").tolist() == [0.5, -1.25, 65504.0]
    assert one == {
        "id": 1,
        "request_id": "request-1",
        "index": 0,
        "model": "tiny@3",
        "head": "shade",
        "label": "bright",
        "value": None,
        "confidence": 0.9,
        "distance": 0.5,
        "decision": "accept",
        "reasons": [],
        "columns": {"place": "Ulm\0"},
        "image_sha256": hashlib.sha256(b"one").hexdigest(),
        "probability": 0.0,
        "audit": False,
    }
    assert (price["head"], price["label"], price["value"], price["confidence"]) == ("price", None, 2.5, None)
    assert (two["index"], two["image_sha256"]) == (1, hashlib.sha256(b"two").hexdigest())


def test_decisions_are_found_soon(database: Database) -> None:
    with recording(database) as recorder:
        recorder.record(b"first", "tiny@1", [answered()])
        until(lambda: len(rows(database)) == 1, "the tables are made")
        recorder.record(b"second", "tiny@1", [answered()])
        began = time.monotonic()
        until(lambda: len(rows(database)) == 2, "it is written")
        assert time.monotonic() - began < SOON_S
        until(lambda: (recorder.recorded, recorder.waiting) == (2, 0), "it is counted")


def test_accepted_decisions_become_audits_at_the_rate_that_is_recorded_and_reviews_never(database: Database) -> None:
    with recording(database, sample=0.5, audit=0.2) as recorder:
        recorder._draw = random.Random(1).random
        recorder._maker._draw = random.Random(2).random
        for number in range(3000):
            recorder.record(b"%d" % number, "tiny@1", [answered(confidence=0.9 if number % 3 else 0.5)])
        until(lambda: recorder.waiting == 0, "all are written")
    found = rows(database)
    accepted = [row for row in found if row["decision"] == "accept"]
    reviews = [row for row in found if row["decision"] == "review"]
    assert {row["probability"] for row in accepted} == {0.1}
    assert {row["probability"] for row in reviews} == {0.5}
    assert not any(row["audit"] for row in reviews)
    sampled, audited = len(found) / 3000, sum(row["audit"] for row in accepted) / len(accepted)
    assert abs(sampled - 0.5) < 0.04, f"{sampled:.3f} of the images were sampled; 0.5 were to be"
    assert abs(audited - 0.2) < 0.05, f"{audited:.3f} of the accepted ones are audits; 0.2 were to be"


def test_closing_writes_what_is_queued(database: Database) -> None:
    with recording(database) as recorder:
        for number in range(2000):
            recorder.record(b"%d" % number, "tiny@1", [answered()])
    assert (recorder.recorded, recorder.dropped, recorder.waiting) == (2000, 0, 0)
    assert [row["request_id"] for row in rows(database)] == [str(number) for number in range(2000)]


def test_a_commit_whose_answer_was_lost_is_not_written_twice(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = BatchWriter.write
    failures = iter([True, True, False, False])

    def and_lose_the_answer(self: BatchWriter, *arguments: object, **named: object) -> None:
        write(self, *arguments, **named)
        if next(failures):
            raise DatabaseError("the connection broke")

    monkeypatch.setattr(BatchWriter, "write", and_lose_the_answer)
    with recording(database) as recorder:
        recorder.record(b"once", "tiny@1", [answered()])
        until(lambda: recorder.recorded == 1, "it is written")
        recorder.record(b"then", "tiny@1", [answered()])
        until(lambda: recorder.recorded == 2, "it is written")
    assert [row["request_id"] for row in rows(database)] == ["once", "then"]


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)  # SQLite takes anything
def test_a_row_that_the_database_refuses_is_dropped_alone(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    with recording(database) as recorder:
        for number in range(9):
            recorder.record(b"%d" % number, "tiny@1\0" if number == 5 else "tiny@1", [answered()])
        until(lambda: recorder.waiting == 0, "all are written or dropped")
        assert (recorder.recorded, recorder.dropped) == (8, 1)
    assert [row["request_id"] for row in rows(database)] == [str(number) for number in range(9) if number != 5]
    assert "a decision cannot be recorded" in caplog.text


def test_while_the_database_is_locked_records_wait_and_the_log_has_one_line_for_each_end_of_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr("feedback.database.database.LOCK_WAIT_S", 0.05)
    monkeypatch.setattr(decision_recorder, "FIRST_WAIT_S", 0.02)
    database = Database(f"sqlite:///{tmp_path / 'feedback.db'}")
    database.migrate()
    lock = sqlite3.connect(tmp_path / "feedback.db", isolation_level=None)
    with recording(database) as recorder:
        lock.execute("BEGIN IMMEDIATE")
        recorder.record(b"waits", "tiny@1", [answered()])
        until(lambda: len(caplog.records) == 1, "the trouble is told")
        time.sleep(0.5)
        lock.execute("ROLLBACK")
        lock.close()
        until(lambda: recorder.recorded == 1, "recording goes on")
        until(lambda: len(caplog.records) == 2, "the end is told")
    begin, end = (record.getMessage() for record in caplog.records)
    assert "answers go on" in begin
    assert "database is locked" in begin
    assert end == "recording of decisions goes on; 0 were lost"
    assert len(rows(database)) == 1


def test_where_there_is_no_room_records_are_dropped_counted_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    database = Database(f"sqlite:///{tmp_path / 'no folder' / 'feedback.db'}")
    with recording(database) as recorder:
        recorded = answered()
        for number in range(MAX_RECORDS + 10):
            recorder.record(b"%d" % number, "tiny@1", [recorded])
        assert recorder.dropped == 10
        assert recorder.waiting == MAX_RECORDS
        (tmp_path / "no folder").mkdir()
        until(lambda: recorder.recorded == MAX_RECORDS, "recording goes on")
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert caplog.records[1].getMessage() == "recording of decisions goes on; 10 were lost"


@pytest.mark.alone
@pytest.mark.no_cover  # which costs more than it
def test_a_recorded_decision_costs_less_than_ten_small_json_in_all_threads(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'feedback.db'}")
    database.migrate()
    images = [answered(b"x" * 400) for _ in range(4000)]

    def record() -> None:
        with recording(database) as recorder:
            for start in range(0, 4000, 100):  # as they come, 4,000 a second
                for number in range(start, start + 100):
                    recorder.record(b"%032x" % number, "tiny@1", [images[number]])
                time.sleep(0.025)
            until(lambda recorder=recorder: recorder.waiting == 0, "all are written")
            assert (recorder.recorded, recorder.dropped) == (4000, 0)

    cost = relative_cost(record, 4000, rounds=3)
    print(f"recording a decision: {cost:.1f} small JSON")
    assert cost < 10


def test_closing_waits_for_no_database_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decision_recorder, "CLOSE_WITHIN_S", 0.2)
    held, release = threading.Event(), threading.Event()

    def hang(*_: object, **__: object) -> None:
        held.set()
        release.wait(30)

    monkeypatch.setattr(BatchWriter, "write", hang)
    recorder = Recorder(Database(f"sqlite:///{tmp_path / 'feedback.db'}"))
    recorder.start()
    recorder.record(b"1", "tiny@1", [answered()])
    assert held.wait(5)
    recorder.record(b"2", "tiny@1", [answered()])
    began = time.monotonic()
    recorder.close()
    assert time.monotonic() - began < SOON_S
    assert recorder.dropped == 2
    release.set()
    recorder._thread.join(5)
