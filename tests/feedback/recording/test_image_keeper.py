"""An image store that fails costs images, which are counted, and no record."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest

from feedback.database.database import Database
from feedback.database.tables import image
from feedback.recording import image_keeper
from feedback.recording.decision_recorder import Recorder
from feedback.recording.image_keeper import ImageKeeper
from feedback.recording.image_store import ImageStore
from tests.feedback.recording.recordings import answered, rows, until
from tests.tiny_bundle import solid_image

IMAGES = [solid_image(grey) for grey in (10, 20, 10)]
NAMES = [hashlib.sha256(each).hexdigest() for each in IMAGES]


def test_the_images_of_recorded_decisions_are_kept_and_listed_with_the_time_of_the_last(
    database: Database, tmp_path: Path
) -> None:
    store = ImageStore(f"{tmp_path}/kept")
    recorder = Recorder(database, images=store)
    recorder.start()
    for number, each in enumerate(IMAGES):
        recorder.record(b"%d" % number, "tiny@1", [answered(each)])
    recorder.close()
    assert [store.open(name) for name in NAMES] == IMAGES
    with database.reading() as connection:
        listed = {row.sha256: row.time for row in connection.execute(image.select())}
    assert listed == {row["image_sha256"]: row["time"] for row in rows(database)[1:]}


def test_a_store_that_cannot_be_written_costs_images_alone(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "kept").write_text("no folder")
    recorder = Recorder(database, images=ImageStore(f"{tmp_path}/kept"))
    recorder.start()
    recorder.record(b"1", "tiny@1", [answered(IMAGES[0])])
    until(lambda: recorder.images_dropped == 1, "the image is given up")
    (tmp_path / "kept").unlink()
    recorder.record(b"2", "tiny@1", [answered(IMAGES[1])])
    recorder.close()
    assert (recorder.recorded, recorder.dropped, recorder.images_dropped) == (2, 0, 1)
    begin, end = (record.getMessage() for record in caplog.records)
    assert begin.startswith("keeping of images has trouble, answers go on: ")
    assert end == "keeping of images goes on; 1 were lost"


def test_a_store_that_does_not_answer_holds_a_bounded_amount_of_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_keeper, "MAX_BYTES", 3000)
    release = threading.Event()
    monkeypatch.setattr(ImageStore, "write", lambda *_: release.wait(20))
    keeper = ImageKeeper(ImageStore("unused"))
    keeper.start()
    for number in range(5):
        keeper.put({str(number): b"x" * 1000})
    assert keeper.dropped == 2
    release.set()
    keeper.close(5.0)
    assert keeper.dropped == 2


def test_the_image_of_a_row_that_is_refused_is_not_kept(postgresql_url: str, tmp_path: Path) -> None:
    store, database = ImageStore(f"{tmp_path}/kept"), Database(postgresql_url)
    recorder = Recorder(database, images=store)
    recorder.start()
    for number, each in enumerate(IMAGES[:2]):
        recorder.record(b"%d" % number, "tiny@1\0" if number else "tiny@1", [answered(each)])
    recorder.close()
    assert (recorder.recorded, recorder.dropped) == (1, 1)
    assert [store.open(name) for name in NAMES[:2]] == [IMAGES[0], None]
    with database.writing() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    database.close()
