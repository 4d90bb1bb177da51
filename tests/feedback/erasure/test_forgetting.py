"""Of what is forgotten no byte is left in any file, while a server goes on recording."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text

from feedback.__main__ import main
from feedback.database.database import Database
from feedback.database.tables import measurement
from feedback.recording.decision_recorder import Recorder
from feedback.recording.image_store import ImageStore
from tests.feedback.recording.recordings import answered, rows, until
from tests.tiny_bundle import solid_image

SECRET, OTHER = solid_image(77), solid_image(78)
SHA256 = hashlib.sha256(SECRET).hexdigest()
REQUEST = "a-request-that-is-to-be-forgotten"
TOWN = "Kleinkleckersdorf an der Ruhr"


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(f"{tmp_path}/kept")


@pytest.fixture
def recorder(database: Database, store: ImageStore) -> Iterator[Recorder]:
    """A server that records, and has recorded the secret image among others."""
    recorder = Recorder(database, images=store)
    recorder.start()
    for number in range(300):
        recorder.record(b"before-%d" % number, "tiny@1", [answered(OTHER)])
    recorder.record(REQUEST.encode(), "tiny@1", [answered(SECRET, columns={"place": TOWN})])
    until(lambda: recorder.recorded == 301, "all is recorded")
    with database.writing() as connection:
        document = {"examples": [{"request_id": REQUEST, "image_sha256": SHA256}]}
        connection.execute(
            insert(measurement).values(time=rows(database)[0]["time"], bundle="shop", kind="x", document=document)
        )
    yield recorder
    recorder.close()


def folder_of(database: Database, tmp_path: Path) -> Path:
    """Where the database's files are."""
    if database.is_sqlite:
        return tmp_path
    with database.reading() as connection:
        return Path(connection.execute(text("SHOW data_directory")).scalar_one()) / "base"


def files_with(folder: Path, *secrets: bytes) -> list[Path]:
    os.sync()
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            found += [path for secret in secrets if secret in data]
    return found


def checkpoint(database: Database) -> None:
    """Has PostgreSQL write its pages into the files that are searched."""
    if not database.is_sqlite:
        raw = database.engine.raw_connection()
        raw.driver_connection.autocommit = True
        raw.driver_connection.execute("CHECKPOINT")
        raw.invalidate()


@pytest.mark.parametrize("which", [("--request", REQUEST), ("--image", SHA256)], ids=["a request", "an image"])
def test_no_byte_is_left_in_any_file_and_recording_goes_on(
    which: tuple[str, str], url: str, database: Database, store: ImageStore, recorder: Recorder, tmp_path: Path
) -> None:
    secrets = (SHA256.encode(), REQUEST.encode(), TOWN.encode())
    folder = folder_of(database, tmp_path)
    checkpoint(database)
    assert files_with(folder, *secrets), "it would be found"
    assert store.open(SHA256) == SECRET
    stop = threading.Event()

    def go_on() -> None:
        number = 0
        while not stop.wait(0.005):
            recorder.record(b"during-%d" % number, "tiny@1", [answered(OTHER)])
            number += 1

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        assert main(["forget", *which, "--feedback", url, "--images", f"{tmp_path}/kept"]) == 0
    finally:
        stop.set()
        thread.join()
    until(lambda: recorder.waiting == 0, "recording goes on")
    checkpoint(database)
    assert files_with(folder, *secrets) == []
    assert files_with(tmp_path / "kept", SECRET) == []
    assert store.open(SHA256) is None
    assert len(rows(database)) == recorder.recorded - 1
    assert recorder.dropped == 0


@pytest.mark.parametrize("which", [("--request", REQUEST), ("--image", SHA256)], ids=["a request", "an image"])
def test_what_was_measured_stays_without_the_example(
    which: tuple[str, str], url: str, database: Database, store: ImageStore, recorder: Recorder, tmp_path: Path
) -> None:
    other = {"request_id": "before-1", "image_sha256": hashlib.sha256(OTHER).hexdigest(), "label": "Bag"}
    document = {"alarm": True, "new": [other, {"request_id": REQUEST, "image_sha256": SHA256}]}
    with database.writing() as connection:
        connection.execute(
            insert(measurement).values(time=rows(database)[0]["time"], bundle="shop", kind="drift", document=document)
        )
    assert main(["forget", *which, "--feedback", url, "--images", f"{tmp_path}/kept"]) == 0
    with database.reading() as connection:
        documents = connection.execute(select(measurement.c.document).order_by(measurement.c.id)).scalars().all()
    assert documents == [{"examples": []}, {"alarm": True, "new": [other]}]


def test_where_there_is_nothing_the_status_is_1(url: str, database: Database, capsys: pytest.CaptureFixture) -> None:
    assert main(["forget", "--request", "unknown", "--feedback", url]) == 1
    assert capsys.readouterr().err == "error: nothing is recorded of 'unknown'\n"


def test_an_image_that_another_request_sent_too_stays_until_it_is_named(
    url: str, database: Database, store: ImageStore, recorder: Recorder, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    recorder.record(b"another", "tiny@1", [answered(SECRET)])
    until(lambda: recorder.waiting == 0, "it is recorded")
    options = ["--feedback", url, "--images", f"{tmp_path}/kept"]
    assert main(["forget", "--request", REQUEST, *options]) == 0
    assert "1 images are kept, since other requests sent them" in capsys.readouterr().out
    assert store.open(SHA256) == SECRET
    assert main(["forget", "--image", SHA256.upper(), *options]) == 0
    assert capsys.readouterr().out == "erased 1 decisions and 1 images\n"
    assert store.open(SHA256) is None


def test_where_the_image_is_kept_must_be_said_and_nothing_is_erased_without(
    url: str,
    database: Database,
    recorder: Recorder,
    capsys: pytest.CaptureFixture,
) -> None:
    assert main(["forget", "--request", REQUEST, "--feedback", url]) == 2
    assert "--images says in which folder" in capsys.readouterr().err
    assert REQUEST in {row["request_id"] for row in rows(database)}
