"""`scoring.sources.opening`: what an input is."""

from __future__ import annotations

from pathlib import Path

import pytest

from scoring.sources.opening import is_table


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("t.csv", True),
        ("t.PARQUET", True),
        ("s3://bucket/t.tsv", True),
        ("file.xlsx", True),
        ("*.csv", False),
        ("s3://bucket/*.parquet", False),
        ("s3://bucket/folder", False),
        ("folder.csv", False),
        ("odd[1].csv", True),
        ("photos", False),
    ],
)
def test_files_of_the_name_of_a_table_are_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "photos").mkdir()
    (tmp_path / "odd[1].csv").touch()
    (tmp_path / "file.xlsx").touch()
    assert is_table(text) is expected
