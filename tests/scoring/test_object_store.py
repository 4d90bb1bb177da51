"""`python -m scoring` on an object store: a server of S3 in this process, and s3fs as users have it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from moto.server import ThreadedMotoServer
from pyarrow import dataset

from tests.scoring.scored import BRIGHT, DARK
from tests.scoring.test_scoring_run import Score

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
ALL = [("a/0.png", "dark", None), ("a/1.png", "bright", None), ("b.png", None, "bad_image")]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    started = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    started.start()
    host, port = started.get_host_and_port()
    yield f"http://{host}:{port}"
    started.stop()


@pytest.fixture
def store(server: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A store with the bucket `photos`; scoring finds its address in the environment."""
    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3").clear_instance_cache()
    store = fsspec.filesystem("s3", skip_instance_cache=True)
    if store.exists("photos"):
        store.rm("photos", recursive=True)
    store.mkdir("photos")
    for path, data in {"a/0.png": DARK, "a/1.png": BRIGHT, "b.png": DARK[:-9], "notes.txt": b"no image"}.items():
        store.pipe_file(f"photos/in/{path}", data)
    return store


def rows(store: Any) -> list[tuple[str, str, str]]:
    store.invalidate_cache()
    found = dataset.dataset("photos/out", filesystem=store, format="parquet").to_table().to_pylist()
    return [(row["path"], row["shade.label"], row["error"]) for row in found]


def test_a_folder_of_a_bucket_becomes_a_data_set_there(store: Any, score: Score) -> None:
    assert score("s3://photos/in", "s3://photos/out", "--limit", "2") == 0
    assert rows(store) == ALL[:2]
    assert score("s3://photos/in", "s3://photos/out") == 0
    assert rows(store) == ALL


def test_a_glob_of_a_bucket(store: Any, score: Score) -> None:
    assert score("s3://photos/in/a/*.png", "s3://photos/out") == 0
    assert [path for path, *_ in rows(store)] == ["0.png", "1.png"]


@pytest.mark.parametrize("place", ["bucket", "machine"])
def test_a_table_names_images_of_a_bucket(store: Any, score: Score, tmp_path: Path, place: str) -> None:
    table = b"image\na/0.png\ns3://photos/in/a/1.png\nnowhere.png\n"
    if place == "bucket":
        store.pipe_file("photos/in/t.csv", table)
        assert score("s3://photos/in/t.csv", "s3://photos/out") == 0
    else:
        (tmp_path / "t.csv").write_bytes(table)
        assert score("t.csv", "s3://photos/out", "--images-root", "s3://photos/in") == 0
    assert [label for _, label, _ in rows(store)] == ["dark", "bright", None]
    assert [error for *_, error in rows(store)] == [None, None, "unreadable"]


def test_a_bucket_that_is_not_there_is_named(store: Any, score: Score, capsys: pytest.CaptureFixture[str]) -> None:
    assert score("s3://nothing/in", "out") == 1
    assert "s3://nothing/in" in capsys.readouterr().err
