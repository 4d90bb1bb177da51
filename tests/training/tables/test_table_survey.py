"""What is in a table, column by column."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from models.tables.dialect import Dialect
from training.exceptions import DataError
from training.tables import table_survey
from training.tables.table import TableLayout, read
from training.tables.table_survey import Survey, survey

HEADER = "image;label;id;price;shape;note;weight;part;when;same;value;mixed;price\n"
ROW = "x.png;{label};{row};{row},5;{shape};a note {row};{row} g;{part};2021-01-{day:02};s;{row};{mixed};1\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "x.png").write_bytes(b"")
    lines = [
        ROW.format(row=row, label="ab"[row % 2], shape=["round", "Round", "long"][row % 3], day=row % 28 + 1,
                   part=["train", "test"][row % 2], mixed="x" if row == 7 else row * row)
        for row in range(300)
    ]  # fmt: skip
    (tmp_path / "table.csv").write_text(
        HEADER.replace(";price\n", ";double;double\n") + "".join(lines).replace(";1\n", ";1;2\n")
    )
    return tmp_path / "table.csv"


def test_every_column_is_described_and_none_stops_the_others(path: Path) -> None:
    found = survey(path, TableLayout("image", "label"))
    assert found.rows == 300
    assert {name: text.split(",")[0].split(":")[0] for name, text in found.described.items()} == {
        "image": "image", "label": "category", "id": "number", "price": "number", "shape": "category",
        "note": "cannot be used", "weight": "number", "part": "category", "when": "date", "same": "category",
        "value": "cannot be used", "mixed": "cannot be used", "double": "cannot be used",
    }  # fmt: skip
    assert found.described["image"] == "image, 1 files"
    assert found.described["price"] == "number, 0.5 to 299.5, decimal comma"
    assert found.described["id"] == "number, 0 to 299, counts the rows"
    assert found.described["same"].endswith(", the same in all rows")
    assert found.described["double"] == "cannot be used: 2 columns have this name"
    assert "has numbers, but 'x' in row 9" in found.described["mixed"]
    assert (found.columns, found.split) == (("price", "shape", "when"), "part")
    assert found.how[:2] == ("encoding: UTF-8", "separator: semicolon")


def test_what_it_offers_can_be_read(path: Path) -> None:
    found = survey(path, TableLayout("image", "label"))
    table = read(path, TableLayout("image", "label", found.columns, split=found.split))
    assert [column.name for column in table.columns] == list(found.columns)
    assert {name: found.described[name] for name in table.described} == dict(table.described)


def test_columns_that_do_not_fit_in_memory_together_are_read_one_after_the_other(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = survey(path, TableLayout("image", "label"))
    monkeypatch.setattr(table_survey, "_CELLS_IN_MEMORY", 700)
    assert survey(path, TableLayout("image", "label")) == whole


def test_columns_that_are_asked_for_and_not_there_are_missing_from_it(path: Path) -> None:
    assert "picture" not in survey(path, TableLayout("picture", "kind")).described


def test_a_dialect_that_is_asked_for_is_followed(path: Path) -> None:
    assert list(survey(path, TableLayout("image", "label", dialect=Dialect(separator="|"))).described) == [
        HEADER.strip().replace(";mixed;price", ";mixed;double;double")
    ]


def test_images_that_are_missing_are_said(path: Path) -> None:
    (path.parent / "x.png").unlink()
    assert (
        survey(path, TableLayout("image", "label")).described["image"].startswith("cannot be used: 300 of 300 images")
    )


def test_types_of_parquet_that_no_column_can_have_are_named(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"list": [[1], [2]], "number": [1, 2]}), tmp_path / "table.parquet")
    found: Survey = survey(tmp_path / "table.parquet", TableLayout("image", "label"))
    assert found.described["list"].startswith("cannot be used: it is of type list<")
    assert found.columns == ("number",)


@pytest.mark.parametrize("names", ["image,label", "part,image,label"], ids=["of images", "of another"])
def test_a_header_alone_has_no_column_of_parts(names: str, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(names + "\n")
    assert survey(tmp_path / "table.csv", TableLayout("image", "label")).split is None


def test_labels_that_are_words_of_parts_are_no_split(tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "table.csv").write_text("image,label\n" + "train,test\ntest,train\n" * 3)
    assert survey(tmp_path / "table.csv", TableLayout("image", "label")).split is None


def test_a_row_of_another_width_is_an_error(path: Path) -> None:
    path.write_text(path.read_text() + "x.png;a\n")
    with pytest.raises(DataError, match="row 302: 2 cells, fewer than the 14 of the header"):
        survey(path, TableLayout("image", "label"))


def test_a_column_that_cannot_be_read_stops_none_of_the_others(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"")
    count = 40
    columns = {
        "image": ["x.png"] * count, "label": ["a", "b"] * (count // 2), "size": [row**2 for row in range(count)],
        "thumb": [b"\xff\xd8\xff" + bytes([200 + row]) for row in range(count)],
        "last": [float(row % 7) for row in range(count)],
    }  # fmt: skip
    parquet.write_table(pa.table(columns), tmp_path / "table.parquet")
    found = survey(tmp_path / "table.parquet", TableLayout("image", "label"))
    assert found.described["thumb"].startswith("cannot be used: column 'thumb' has bytes in row 2")
    assert found.columns == ("size", "last")


@pytest.mark.parametrize("wrong", ["tset", ""], ids=["a misspelt part", "a gap"])
def test_a_split_with_mistakes_is_said_and_is_no_column(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "x.png").write_bytes(b"")
    parts = [*["train", "test"] * 20, wrong]
    rows = "".join(f"x.png,{'ab'[row % 2]},{part},{row**2}\n" for row, part in enumerate(parts))
    (tmp_path / "table.csv").write_text("image,label,part,size\n" + rows)
    found = survey(tmp_path / "table.csv", TableLayout("image", "label"))
    assert "a split but for 1 rows, such as row 42" in found.described["part"]
    assert (found.columns, found.split) == (("size",), None)
