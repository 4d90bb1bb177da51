"""Two workers record each decision once, and a killed one loses what it answered in its last second at most."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from feedback.database.database import Database
from feedback.database.tables import decision
from tests.chaos.recording.test_database_failures import is_settled, load_plan
from tests.chaos.rig.reliability import Reliability
from tests.chaos.rig.servers import serving, until
from tests.chaos.rig.steady_load import load, outcomes
from tests.feedback.postgresql import postgresql_server

DECISIONS, IMAGES = 20_000, 8


@contextlib.contextmanager
def sqlite(folder: Path) -> Iterator[str]:
    yield f"sqlite:///{folder / 'feedback.db'}"


@contextlib.contextmanager
def postgres(_: Path) -> Iterator[str]:
    with postgresql_server() as server:
        yield server.url


def recorded(url: str) -> tuple[int, int]:
    """Rows, and how many different ones of request, image and head."""
    each = select(decision.c.request_id, decision.c["index"], decision.c["head"]).distinct().subquery()
    database = Database(url)
    with database.reading() as connection:
        rows = connection.execute(select(func.count()).select_from(decision)).scalar_one()
        different = connection.execute(select(func.count()).select_from(each)).scalar_one()
    database.close()
    return rows, different


@pytest.mark.chaos
@pytest.mark.parametrize("database", [sqlite, postgres])
def test_each_decision_is_recorded_once_but_for_the_last_second_of_a_killed_worker(
    database: Callable[[Path], contextlib.AbstractContextManager[str]], reliability: Reliability, tmp_path: Path
) -> None:
    with database(tmp_path) as url, serving(tmp_path, workers=2, feedback_url=url) as server:
        until(lambda: server.metric("tandem_ready") == 2, 30.0, "both workers are ready")
        with load(tmp_path, load_plan(server, tmp_path, IMAGES, connections=8, pause_s=0.01)) as generator:
            until(lambda: server.metric("tandem_feedback_recorded_total") > DECISIONS / 2, 120.0, "half is recorded")
            killed_at = time.monotonic()
            os.kill(min(server.workers()), signal.SIGKILL)
            until(lambda: server.metric("tandem_feedback_recorded_total") > DECISIONS, 120.0, "all is recorded")
            samples = generator.stop()
        until(lambda: server.metric("tandem_feedback_queue") == 0, 30.0, "the queue is empty")
        rows, different = recorded(url)
    answered = IMAGES * sum(sample.outcome == "200" for sample in samples)
    last_second = IMAGES * sum(sample.outcome == "200" and 0 <= killed_at - sample.done <= 1 for sample in samples)
    # A response whose connection broke after it was computed may have been recorded
    broken = IMAGES * sum(sample.outcome != "200" for sample in samples)
    lost = answered - rows
    met = rows == different >= DECISIONS and -broken <= lost <= last_second
    reliability.record(
        f"recording: kill -9 of one of two workers, {database.__name__}",
        "each decision once, but for those of the killed worker's last second",
        f"{answered} decisions answered, {rows} recorded, {rows - different} of them twice; {lost} lost of "
        f"{last_second} of that second",
        met,
    )
    assert rows == different
    assert -broken <= lost <= last_second, (answered, rows, last_second, outcomes(samples))
    assert rows >= DECISIONS


@pytest.mark.parametrize("database", [sqlite, postgres])
def test_two_workers_record_each_decision_once(
    database: Callable[[Path], contextlib.AbstractContextManager[str]], tmp_path: Path
) -> None:
    with database(tmp_path) as url, serving(tmp_path, workers=2, feedback_url=url) as server:
        with load(tmp_path, load_plan(server, tmp_path, IMAGES, connections=4)) as generator:
            until(lambda: server.metric("tandem_feedback_recorded_total") > 1000, 60.0, "decisions are recorded")
            samples = generator.stop()
        until(lambda: is_settled(server), 30.0, "all of it is recorded")
        assert recorded(url) == (IMAGES * len(samples),) * 2
