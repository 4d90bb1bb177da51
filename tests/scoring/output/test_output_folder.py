"""`scoring.output.output_folder`: a file is there as a whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import DataError, StoreError
from scoring.output.output_folder import LocalFolder, open_folder


def test_a_file_that_was_written_is_listed_and_read(tmp_path: Path) -> None:
    folder = LocalFolder(tmp_path / "new")
    assert folder.names() == []
    folder.write("a.json", b"1")
    folder.write("a.json", b"2")
    assert (folder.names(), folder.read("a.json")) == (["a.json"], b"2")


def test_what_a_killed_run_did_not_finish_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".part-0000000000-0000000009.parquet.0a1b2c3d").write_bytes(b"half")
    with LocalFolder(tmp_path).locked():
        assert not list(tmp_path.iterdir())


def test_a_second_run_is_kept_out(tmp_path: Path) -> None:
    with (
        LocalFolder(tmp_path).locked(),
        pytest.raises(DataError, match="another run writes to"),
        LocalFolder(tmp_path).locked(),
    ):
        pass
    with LocalFolder(tmp_path).locked():
        pass


def test_an_unknown_store_is_named() -> None:
    with pytest.raises(StoreError, match="nowhere://bucket: cannot be used"):
        open_folder("nowhere://bucket")
