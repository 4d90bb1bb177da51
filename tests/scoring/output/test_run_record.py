"""`scoring.output.run_record`: only the same command goes on with an output."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import DataError
from scoring.output.output_folder import LocalFolder
from scoring.output.run_record import check_record, write_record

RECORD = {"model": "tiny@1", "manifest_sha256": "0", "input": "f", "rows": 5, "heads": ["shade"], "table": None}


def test_a_new_folder_has_no_record(tmp_path: Path) -> None:
    assert not check_record(LocalFolder(tmp_path / "new"), RECORD)


def test_the_same_record_agrees_and_may_know_more(tmp_path: Path) -> None:
    folder = LocalFolder(tmp_path)
    write_record(folder, RECORD | {"precision": "int8"})
    assert check_record(folder, RECORD)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"heads": ["other"]}, r"heads was \['shade'\] and is \['other'\]; run the same command again, or name a new"),
        ({"manifest_sha256": "1"}, "the bundle is another one"),
        ({"input": "g"}, "the input is another one, or has changed"),
        ({"precision": "fp32"}, "the embedder runs in another precision"),
    ],
    ids=["heads", "bundle", "input", "precision"],
)
def test_another_record_is_refused(tmp_path: Path, change: dict[str, object], said: str) -> None:
    folder = LocalFolder(tmp_path)
    write_record(folder, RECORD | {"precision": "int8"})
    with pytest.raises(DataError, match=f"the output was begun by another command: {said}"):
        check_record(folder, RECORD | change)


@pytest.mark.parametrize("data", [b"{", b"[1]", b"\xff"])
def test_a_damaged_record_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "_run.json").write_bytes(data)
    with pytest.raises(DataError, match=r"_run.json in the output is damaged \(.*\); name a new folder"):
        check_record(LocalFolder(tmp_path), RECORD)


def test_parts_without_a_record_are_refused(tmp_path: Path) -> None:
    (tmp_path / "part-0000000000-0000000001.parquet").touch()
    with pytest.raises(DataError, match=r"has files, such as 'part-0000000000-0000000001.parquet', and no _run.json"):
        check_record(LocalFolder(tmp_path), RECORD)
