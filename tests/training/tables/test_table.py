"""Tables: what is read of them, and what is said of wrong ones."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from models.columns import Column
from models.tables import table_columns
from tests.training.squares import write_image
from training.exceptions import DataError
from training.tables.table import RESERVED, Table, TableLayout, read

ASK = TableLayout("file", "kind", ("price", "shape", "new"))
HEADER = ["file", "kind", "price", "shape", "new"]
ROWS = [
    ["a.png", "cup", "1.5", "round", "yes"],
    ["b.png", "cup", "", "long", "no"],
    ["c.png", "pen", "20", "NA", ""],
    ["d.png", "pen", "3e1", "long", "No"],
]


def write(folder: Path, rows: list[list[str]], header: list[str] = HEADER, name: str = "table.csv") -> Path:
    for row in rows:
        if row and not (folder / row[0]).exists():
            write_image(folder / row[0], np.zeros((4, 4, 3), np.uint8))
    with (folder / name).open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return folder / name


def refusal(path: Path, layout: TableLayout = ASK) -> str:
    with pytest.raises(DataError) as caught:
        read(path, layout)
    return str(caught.value)


def check(table: Table) -> None:
    assert [path.name for path in table.images] == ["a.png", "b.png", "c.png", "d.png"]
    assert table.labels == ["cup", "cup", "pen", "pen"]
    assert table.columns == (
        Column(name="price", type="number", required=False, low=1.5, high=30.0),
        Column(name="shape", type="category", required=False, categories=("long", "round"), cleaning="folded"),
        Column(name="new", type="boolean", required=False),
    )
    assert table.rows[1] == {"price": None, "shape": "long", "new": False}
    assert table.rows[2] == {"price": 20.0, "shape": None, "new": None}
    assert table.parts is None


def test_types_and_missing_values_are_found_from_the_values(tmp_path: Path) -> None:
    check(read(write(tmp_path, ROWS), ASK))


def test_a_parquet_file_is_read_as_the_same_table(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    write(tmp_path, ROWS)
    columns = {
        "file": ["a.png", "b.png", "c.png", "d.png"],
        "kind": ["cup", "cup", "pen", "pen"],
        "price": [1.5, None, 20.0, 30.0],
        "shape": ["round", "long", None, "long"],
        "new": [True, False, None, False],
        "other": [1, 2, 3, 4],
    }
    parquet.write_table(pa.table(columns), tmp_path / "table.parquet")
    check(read(tmp_path / "table.parquet", ASK))
    assert "no column 'prize'" in refusal(tmp_path / "table.parquet", TableLayout("file", "kind", ("prize",)))
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no")
    assert "cannot be read as parquet" in refusal(tmp_path / "broken.parquet")


def test_columns_may_stand_in_any_order_and_others_are_not_read(tmp_path: Path) -> None:
    header = ["note", *reversed(HEADER)]
    rows = [["x", *reversed(row)] for row in ROWS]
    write(tmp_path, ROWS)
    with (tmp_path / "other.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    check(read(tmp_path / "other.csv", ASK))


def test_without_columns_there_are_images_and_labels(tmp_path: Path) -> None:
    found = read(write(tmp_path, ROWS), TableLayout("file", "kind"))
    assert (found.columns, found.rows) == ((), [{}] * 4)


def test_rows_without_a_label_are_left_out_and_listed(tmp_path: Path) -> None:
    found = read(write(tmp_path, [*ROWS, ["e.png", "", "1", "long", "yes"]]), ASK)
    assert (len(found.images), found.skipped) == (4, ("row 6: no kind",))


def test_a_split_column_says_where_a_row_belongs(tmp_path: Path) -> None:
    rows = [[*row, part] for row, part in zip(ROWS, ["train", "Val", "test", "training"], strict=True)]
    found = read(write(tmp_path, rows, [*HEADER, "part"]), TableLayout("file", "kind", split="part"))
    assert found.parts is not None
    assert {name: list(positions) for name, positions in found.parts.items()} == {
        "train": [0, 3],
        "validation": [1],
        "test": [2],
    }


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        (
            ["train", "holdout", "test", "x"],
            "split column 'part' has 'holdout' in row 3, and 1 more rows that are none of train, ",
        ),
        (["train", "", "test", "train"], "split column 'part' has '' in row 3"),
        (["train"] * 4, "split column 'part' puts no row into 'test'"),
    ],
    ids=["unknown words", "an empty one", "no test rows"],
)
def test_a_split_column_that_cannot_be_followed_is_refused(parts: list[str], reason: str, tmp_path: Path) -> None:
    rows = [[*row, part] for row, part in zip(ROWS, parts, strict=True)]
    assert reason in refusal(write(tmp_path, rows, [*HEADER, "part"]), TableLayout("file", "kind", split="part"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"price": "cheap"}, "column 'price' has numbers, but 'cheap' in row 5; a number is written in ASCII digits"),
        ({"price": "inf"}, "column 'price' has numbers, but 'inf' in row 5"),
        ({"file": ""}, "row 5 names no image"),
        ({"file": "../x.png"}, "row 5: '../x.png' leaves the folder of images"),
        ({"file": "/etc/hostname"}, "row 5: '/etc/hostname' leaves the folder of images"),
    ],
    ids=["text in a number", "infinity", "no image", "a path that leads out", "an absolute path"],
)
def test_a_wrong_cell_is_named(change: dict[str, str], reason: str, tmp_path: Path) -> None:
    write(tmp_path, ROWS)
    rows = [*ROWS[:3], [change.get(name, cell) for name, cell in zip(HEADER, ROWS[3], strict=True)]]
    with (tmp_path / "table.csv").open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    assert reason in refusal(tmp_path / "table.csv")


def test_a_link_out_of_the_folder_is_followed_unless_it_is_forbidden(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write_image(tmp_path / "outside.png", np.zeros((4, 4, 3), np.uint8))
    (tmp_path / "data" / "d.png").symlink_to(tmp_path / "outside.png")
    path = write(tmp_path / "data", ROWS)
    assert read(path, ASK).images[3] == tmp_path / "data" / "d.png"
    reason = "row 5: 'd.png' is, or lies behind, a symbolic link, which --no-links forbids"
    assert reason in refusal(path, replace(ASK, follow=False))


def test_missing_images_are_counted_and_listed(tmp_path: Path) -> None:
    path = write(tmp_path, ROWS)
    (tmp_path / "b.png").unlink()
    (tmp_path / "d.png").unlink()
    assert refusal(path) == f"2 of 4 images are not in {tmp_path.resolve()}: b.png (row 3), d.png (row 5)"


def test_a_column_that_is_all_empty_is_refused(tmp_path: Path) -> None:
    rows = [[*row[:2], " ", *row[3:]] for row in ROWS]
    assert refusal(write(tmp_path, rows)) == "column 'price' is empty in all 4 rows; leave it out"


def test_a_column_that_tells_rows_apart_is_refused(tmp_path: Path) -> None:
    rows = [["a.png", "cup", "1", f"name {index}", "yes"] for index in range(300)]
    assert "column 'shape' has 300 different texts in 300 rows" in refusal(write(tmp_path, rows))


@pytest.mark.parametrize(
    ("layout", "reason"),
    [
        (TableLayout("picture", "kind"), "no column 'picture'; it has 'file', 'kind', 'price', 'shape', 'new'"),
        (TableLayout("file", "kind", ("price", "price")), "column 'price' cannot be two things at once"),
        (TableLayout("file", "file"), "column 'file' cannot be two things at once"),
    ],
    ids=["unknown", "asked for twice", "image and label"],
)
def test_columns_that_cannot_be_had_are_named(layout: TableLayout, reason: str, tmp_path: Path) -> None:
    assert reason in refusal(write(tmp_path, ROWS), layout)


def test_columns_of_the_same_name_are_refused_where_they_are_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, ROWS, ["file", "kind", "price", "price", "new"])
    assert "has 2 columns named 'price'; rename them" in refusal(path, TableLayout("file", "kind", ("price",)))
    assert len(read(path, TableLayout("file", "kind", ("new",))).images) == 4


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"file,kind\na.png\n", "row 2: 1 cells, fewer than the 2 of the header: 'a.png'"),
        (
            b"file,kind\n\na.png,x\na.png,1,5\n",
            "row 4: 3 cells, more than the 2 of the header: 'a.png', '1', '5'; a cell",
        ),
        (b'file,kind\na.png,"x', "row 2: a cell begins with a quote that is never closed"),
        (b'file,kind\na.png,"x"y\n', "row 2: text follows the quote that closes a cell"),
        (b'file,kind\n"a\nb",x\na.png,\0\n', "row 3: it has a NUL character"),
        (b"file,kind\n", "has a header and no rows"),
        (b"file,kind\na.png,\n", "has no row with a label"),
    ],
    ids=[
        "no byte",
        "empty lines",
        "too few cells",
        "too many cells",
        "an open quote",
        "text behind a quote",
        "a NUL",
        "a header alone",
        "no label",
    ],
)
def test_a_file_that_is_no_table_is_refused(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(content)
    assert reason in refusal(tmp_path / "table.csv", TableLayout("file", "kind"))


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("table.xlsx", b"PK\x03\x04", "is a spreadsheet; save it as CSV"),
        ("table.ods", b"PK\x03\x04", "is a spreadsheet; save it as CSV"),
        ("table.csv", b"PK\x03\x04", "is a spreadsheet or another ZIP file"),
        ("table.csv", b"\xd0\xcf\x11\xe0", "is a spreadsheet; save it as CSV"),
        ("table.csv", b"PAR1", "is a parquet file; name it .parquet"),
        ("table.csv.gz", b"\x1f\x8b", "is compressed; unpack it first"),
        ("table.jsonl", b"{}", "is JSON; save it as CSV"),
        ("table.feather", b"ARROW1", "save it as parquet"),
        ("table", b"", "is no .csv, .tsv, .txt or .parquet file"),
    ],
    ids=str,
)
def test_another_kind_of_file_is_refused_with_the_way_out(
    name: str, content: bytes, reason: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    assert reason in refusal(tmp_path / name)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert f"{tmp_path / 'missing.csv'} is no file" in refusal(tmp_path / "missing.csv")


def test_a_table_of_too_many_rows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_columns, "MAX_ROWS", 3)
    assert "has more than 3 rows, which is the limit" in refusal(write(tmp_path, ROWS))


def test_a_byte_order_mark_and_empty_lines_are_no_cells(tmp_path: Path) -> None:
    path = write(tmp_path, ROWS)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\r\nb", b"\r\n\r\nb"))
    check(read(path, ASK))


@pytest.mark.parametrize(
    ("task", "labels", "expected"),
    [
        (None, [str(row % 20) for row in range(60)], "0"),
        (None, [str(row % 40) for row in range(1000)], "0"),
        (None, [f"{row % 40}.5" for row in range(1000)], 0.5),
        (None, [str(row) for row in range(60)], 0.0),
        ("classification", [str(row) for row in range(60)], "0"),
        ("regression", [str(row % 20) for row in range(60)], 0.0),
    ],
    ids=[
        "few different numbers",
        "40, often",
        "40 with fractions",
        "each once",
        "each once, as classes",
        "few, as numbers",
    ],
)
def test_numbers_as_labels_are_classes_or_numbers(
    tmp_path: Path, task: Literal["classification", "regression"] | None, labels: list[str], expected: str | float
) -> None:
    file = write_table(tmp_path, labels)
    assert read(file, TableLayout("image", "label", task=task)).labels[0] == expected


def write_table(folder: Path, labels: list[str]) -> Path:
    (folder / "x.png").write_bytes(b"")
    file = folder / "numbers.csv"
    file.write_text("image,label\n" + "".join(f"x.png,{label}\n" for label in labels))
    return file


def test_a_label_that_is_no_number_is_named_with_its_row(tmp_path: Path) -> None:
    file = write_table(tmp_path, ["1", "2", "cheap", "4"])
    with pytest.raises(DataError, match="label column 'label' has numbers, but 'cheap' in row 4"):
        read(file, TableLayout("image", "label", task="regression"))


def test_numbers_that_are_all_the_same_cannot_be_learnt(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the labels are all 7; there is nothing to predict"):
        read(write_table(tmp_path, ["7"] * 5), TableLayout("image", "label", task="regression"))


def test_only_columns_can_be_optional(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'size' cannot be optional: it is none of the columns"):
        read(write_table(tmp_path, ["1", "2"]), TableLayout("image", "label", optional=("size",)))


@pytest.mark.parametrize("name", RESERVED)
def test_a_column_cannot_be_called_as_the_graph_s_own_inputs_and_outputs(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=f"a column cannot be called '{name}'"):
        read(write_table(tmp_path, ["1", "2"]), TableLayout("image", "kind", (name,)))


def test_a_file_may_be_called_as_a_word_for_missing(tmp_path: Path) -> None:
    (tmp_path / "null").write_bytes(b"")
    (tmp_path / "table.csv").write_text('image,label,part\n"null",a,"train"\nnull,b,test\n')
    found = read(tmp_path / "table.csv", TableLayout("image", "label", split="part"))
    assert found.images == [tmp_path / "null"] * 2


def test_a_column_and_its_name_are_compared_without_spaces_and_unicode_forms(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"")
    (tmp_path / "table.csv").write_text(" image ,label,gro\u0308sse\nx.png,a,1\n")
    found = read(tmp_path / "table.csv", TableLayout("image", "label", ("gr\u00f6sse ",)))
    assert found.rows == [{"gr\u00f6sse": 1.0}]


def test_how_a_table_was_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"")
    rows = "x.png;Cup;1,5 g;NA\nx.png;cup;1.234,5 g;zinc\n"
    (tmp_path / "table.csv").write_text("image;label;weight;metal\n" + rows)
    found = read(tmp_path / "table.csv", TableLayout("image", "label", ("weight", "metal")))
    assert found.how == (
        "encoding: UTF-8",
        "separator: semicolon",
        "missing: an empty cell, in any case NA, N/A, NaN, null, None; a class or category where quoted, or in 2 rows "
        "or more (--missing A,B names other words)",
        "column 'label': spellings taken for one class, 'Cup': 'Cup' (1), 'cup' (1)",
        "column 'weight': decimal comma",
        "column 'weight': '.' groups thousands",
        "column 'weight': unit 'g'",
        "column 'metal': missing: 1 of 'NA'",
    )
    assert found.described == {
        "label": "category, 1 values: Cup (2)",
        "weight": "number, 1.5 to 1234.5, decimal comma, '.' groups thousands, unit 'g'",
        "metal": "category, 1 values: zinc (1), 1 of 2 missing, missing: 1 of 'NA'",
    }


def test_groups_are_one_where_only_case_and_spaces_differ(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"")
    (tmp_path / "table.csv").write_text("image,label,who\nx.png,a,P1\nx.png,b,p1 \nx.png,a,\nx.png,b,NA\n")
    assert read(tmp_path / "table.csv", TableLayout("image", "label", group="who")).groups == ["P1", "P1", None, None]


def test_integers_of_64_bits_keep_the_precision_of_float64(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"")
    values = (1_700_000_000, 1_700_000_050, 2**60, 2**53 - 1)
    (tmp_path / "table.csv").write_text("image,label,n\n" + "".join(f"x.png,a,{value}\n" for value in values))
    assert [row["n"] for row in read(tmp_path / "table.csv", TableLayout("image", "label", ("n",))).rows] == [
        float(value) for value in values
    ]


def test_the_images_may_be_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "x.png").write_bytes(b"")
    (tmp_path / "table.csv").write_text("image,label\nx.png,a\n")
    layout = TableLayout("image", "label", images_root=tmp_path / "photos")
    assert read(tmp_path / "table.csv", layout).images == [tmp_path / "photos" / "x.png"]


def test_a_frequent_word_is_a_group_as_it_is_a_category(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "table.csv").write_text(
        "image,label,who\n" + "".join(f"a.png,x,{who}\n" for who in ("NA", "NA", "1", ""))
    )
    assert read(tmp_path / "table.csv", TableLayout("image", "label", group="who")).groups == ["NA", "NA", "1", None]
