"""What is too old goes, with all that refers to it and its image; what is younger stays."""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from feedback.database.database import Database
from feedback.database.tables import decision, feedback, image
from feedback.recording import retention
from feedback.recording.decision_recorder import Recorder
from feedback.recording.image_store import ImageStore
from feedback.recording.retention import Retention
from models.errors import StoreError
from tests.feedback.recording.recordings import answered, rows, until
from tests.tiny_bundle import solid_image

OLD, SHARED, YOUNG = (solid_image(grey) for grey in (10, 20, 30))
DAY = timedelta(days=1)


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(f"{tmp_path}/kept")


@pytest.fixture
def recorded(database: Database, store: ImageStore) -> Database:
    """Two decisions of three days ago, one of them answered, and two of now; one image is of both."""
    for number, images in enumerate([(OLD, SHARED), (SHARED, YOUNG)]):
        recorder = Recorder(database, images=store)
        recorder.start()
        recorder.record(b"%d" % number, "tiny@1", [answered(each, place=place) for place, each in enumerate(images)])
        recorder.close()
        if number == 0:
            with database.writing() as connection:
                for table in (decision, image):
                    connection.execute(update(table).values(time=datetime.now(UTC) - 3 * DAY))
                old = connection.execute(select(decision.c.id)).scalars().first()
                said = {"decision_id": old, "time": datetime.now(UTC), "source": "test", "cannot_tell": True}
                connection.execute(insert(feedback).values(said))
    return database


def kept(store: ImageStore) -> list[bool]:
    return [store.open(hashlib.sha256(each).hexdigest()) is not None for each in (OLD, SHARED, YOUNG)]


def test_old_decisions_their_answers_and_images_are_deleted_and_shared_images_are_not(
    recorded: Database, store: ImageStore
) -> None:
    assert not Retention(recorded, 2.0, store).step()
    assert [row["request_id"] for row in rows(recorded)] == ["1", "1"]
    with recorded.reading() as connection:
        assert connection.execute(select(feedback)).first() is None
        assert len(connection.execute(select(image)).all()) == 2
    assert kept(store) == [False, True, True]


def test_nothing_is_deleted_that_is_young_enough(recorded: Database, store: ImageStore) -> None:
    Retention(recorded, 4.0, store).step()
    assert len(rows(recorded)) == 4
    assert kept(store) == [True, True, True]


def test_much_is_deleted_in_small_transactions(recorded: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "CHUNK", 1)
    steps = Retention(recorded, 2.0, None)
    assert [steps.step(), steps.step(), steps.step()] == [True, True, False]
    assert len(rows(recorded)) == 2


def test_an_image_store_that_fails_keeps_no_row_and_is_tried_again(
    recorded: Database, store: ImageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: ImageStore, sha256: str) -> bool:
        raise StoreError(f"{sha256} cannot be deleted")

    with monkeypatch.context() as failing:
        failing.setattr(ImageStore, "delete", fail)
        with pytest.raises(StoreError):
            Retention(recorded, 2.0, store).step()
    assert len(rows(recorded)) == 2
    assert kept(store) == [True, True, True]
    Retention(recorded, 2.0, store).step()
    assert kept(store) == [False, True, True]


def test_a_server_deletes_by_itself(recorded: Database, store: ImageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "INTERVAL_S", 0.05)
    recorder = Recorder(recorded, images=store, keep_days=2.0)
    recorder.start()
    until(lambda: len(rows(recorded)) == 2 and kept(store) == [False, True, True], "the old is gone")
    began = time.monotonic()
    recorder.close()
    assert time.monotonic() - began < 5.0  # and not the hour between two deletions
