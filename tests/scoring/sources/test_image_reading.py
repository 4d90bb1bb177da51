"""`scoring.sources.image_reading`: bytes of files, or why there are none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import fsspec
import pytest

from scoring.chunks import Failed
from scoring.sources.image_reading import open_reader


def test_files_are_read_and_what_is_no_file_fails_alone(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"one")
    images = [str(tmp_path / "a.png"), str(tmp_path / "b.png"), str(tmp_path), b"two", Failed("unreadable", "no")]
    assert list(open_reader("file").read(images)) == [
        b"one",
        Failed("unreadable", "the file cannot be read: No such file or directory"),
        Failed("unreadable", "the file cannot be read: Is a directory"),
        b"two",
        Failed("unreadable", "no"),
    ]


def test_a_pipe_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    (found,) = open_reader("file").read([str(tmp_path / "a.png")])
    assert found == Failed("unreadable", "it is no file, but a folder, a pipe or a device")


def test_a_file_over_the_limit_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scoring.sources.image_reading.MAX_FILE_BYTES", 3)
    (tmp_path / "a.png").write_bytes(b"four")
    (found,) = open_reader("file").read([str(tmp_path / "a.png")])
    assert found == Failed("too_large", "the file has more than 3 bytes, which is the limit")


def test_files_of_a_store_are_fetched_in_groups_and_given_in_order() -> None:
    store: Any = fsspec.filesystem("memory")
    for number in range(70):
        store.pipe_file(f"/photos/{number}", str(number).encode())
    images: list[Any] = [f"/photos/{number}" for number in range(70)]
    images[3], images[40] = "/photos/nowhere", b"given"
    found = list(open_reader("memory").read(images))
    expected: list[Any] = [str(number).encode() for number in range(70)]
    expected[3], expected[40] = Failed("unreadable", "/photos/nowhere cannot be read: no such file"), b"given"
    assert found == expected
    store.rm("/photos", recursive=True)
