"""`scoring.output.part_files`: parts are whole, and every row is in one of them."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from models.errors import DataError
from scoring.output.output_folder import LocalFolder
from scoring.output.part_files import PartWriter, spans_left

TOTAL = 1000
KEPT = pa.table({"path": [str(row) for row in range(TOTAL)]})


def rows(first: int, end: int) -> pa.RecordBatch:
    return pa.record_batch({"row": list(range(first, end))})


def written(folder: Path) -> list[int]:
    tables = [parquet.read_table(file) for file in sorted(folder.glob("part-*.parquet"))]
    for table in tables:
        assert table["path"].to_pylist() == [str(row) for row in table["row"].to_pylist()]
    return [row for table in tables for row in table["row"].to_pylist()]


@pytest.mark.parametrize("rows_per_file", [64, 100, 300, 5000])
def test_chunks_in_any_order_become_all_rows_in_order(tmp_path: Path, rows_per_file: int) -> None:
    spans = [(first, min(first + 64, TOTAL)) for first in range(0, TOTAL, 64)]
    random.Random(0).shuffle(spans)
    writer = PartWriter(LocalFolder(tmp_path), KEPT, [(0, TOTAL)], rows_per_file)
    for span in spans:
        writer.add(span[0], rows(*span))
    writer.finish()
    assert written(tmp_path) == list(range(TOTAL))
    assert len(list(tmp_path.iterdir())) == -(-TOTAL // rows_per_file)


def test_a_stop_keeps_chunks_without_what_is_between_them(tmp_path: Path) -> None:
    folder = LocalFolder(tmp_path)
    writer = PartWriter(folder, KEPT, [(0, TOTAL)], 500)
    for first in (0, 64, 192):
        writer.add(first, rows(first, first + 64))
    writer.finish()
    left = spans_left(folder.names(), TOTAL, TOTAL)
    assert left == [(128, 192), (256, TOTAL)]
    again = PartWriter(folder, KEPT, left, 500)
    again.add(128, rows(128, 192))
    again.add(256, rows(256, 700))
    again.add(700, rows(700, TOTAL))
    again.finish()
    assert written(tmp_path) == list(range(TOTAL))


def test_no_part_is_there_before_it_has_all_rows(tmp_path: Path) -> None:
    writer = PartWriter(LocalFolder(tmp_path), KEPT, [(0, TOTAL)], 100)
    writer.add(0, rows(0, 99))
    assert not list(tmp_path.iterdir())
    writer.add(99, rows(99, 100))
    writer.finish()
    assert [file.name for file in tmp_path.iterdir()] == ["part-0000000000-0000000099.parquet"]


def test_parts_that_overlap_are_refused() -> None:
    names = ["part-0000000000-0000000009.parquet", "part-0000000005-0000000019.parquet"]
    with pytest.raises(DataError, match="parts of the output overlap: rows 5 to 9 are there twice; remove one"):
        spans_left(names, 100, 100)


def test_a_part_beyond_the_input_is_refused() -> None:
    with pytest.raises(DataError, match="has more rows than the input, which has 5"):
        spans_left(["part-0000000000-0000000009.parquet"], 5, 5)


def test_an_error_of_the_disk_is_raised(tmp_path: Path) -> None:
    class Full(LocalFolder):
        def write(self, name: str, data: bytes) -> None:
            raise OSError(28, "No space left on device")

    writer = PartWriter(Full(tmp_path), KEPT, [(0, TOTAL)], 100)
    writer.add(0, rows(0, 100))
    with pytest.raises(OSError, match="No space left"):
        writer.finish()
