"""`scoring.sources.image_table`: paths or bytes of images, and the columns beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from models.bundle.head_spec import HeadSpec
from models.columns import Column
from models.errors import BadColumns, DataError
from scoring.chunks import Failed
from scoring.sources.image_table import read_table
from scoring.sources.source import Source
from scoring.sources.table_plan import TablePlan

SHADE = HeadSpec(name="shade", kind="by_hand", classes=("a", "b"))
PRICED = HeadSpec(
    name="priced",
    kind="by_hand",
    classes=("a", "b"),
    columns=(Column(name="weight", type="number"), Column(name="kind", type="category", required=False)),
)


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    file = folder / "table.csv"
    file.write_text(text, encoding=encoding)
    return file


def read(file: Path, *heads: HeadSpec, **plan: Any) -> Source:
    return read_table(file, str(file), TablePlan(**plan), heads or (SHADE,))


def test_paths_are_relative_to_the_table_and_shown_as_they_are(tmp_path: Path) -> None:
    source = read(write(tmp_path, "image\na.png\nsub\\b.png\n"))
    assert source.kept["path"].to_pylist() == ["a.png", "sub\\b.png"]
    assert source.images((0, 2)) == [str(tmp_path / "a.png"), str(tmp_path / "sub/b.png")]
    assert len(source) == 2


def test_paths_may_be_relative_to_another_folder(tmp_path: Path) -> None:
    source = read(write(tmp_path, "image\na.png\n"), images_root="/photos")
    assert source.images((0, 1)) == ["/photos/a.png"]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("../a.png", "leaves the folder of images"),
        ("https://shop.example/a.png", "is no file on this machine"),
        ("", "names no image"),
    ],
)  # fmt: skip
def test_a_cell_that_is_no_path_below_the_folder_fails_alone(tmp_path: Path, cell: str, said: str) -> None:
    failed, good = read(write(tmp_path, f"image,n\n{cell},1\nb.png,2\n")).images((0, 2))
    assert isinstance(failed, Failed)
    assert failed.code == "unreadable"
    assert said in failed.detail
    assert "row 2" in failed.detail
    assert good == str(tmp_path / "b.png")


def test_in_an_object_store_paths_and_urls_below_the_root_are_found(tmp_path: Path) -> None:
    file = write(tmp_path, "image\na.png\ns3://photos/2024/b.png\ns3://other/c.png\n../d.png\n")
    source = read_table(file, "s3://photos/2024/table.csv", TablePlan(), (SHADE,))
    first, second, *others = source.images((0, 4))
    assert (first, second) == ("photos/2024/a.png", "photos/2024/b.png")
    assert all(isinstance(each, Failed) and "is not below s3://photos/2024" in each.detail for each in others)


def test_columns_that_heads_take_are_read_with_the_notation_of_spreadsheets(tmp_path: Path) -> None:
    file = write(tmp_path, "image;weight;kind;colour\na.png;1,5;é;red\nb.png;heavy;;blue\nc.png;;NA;\n", "cp1252")
    first, second, third = next(read(file, PRICED).chunks([(0, 3)])).columns
    assert first == {"weight": 1.5, "kind": "é"}
    assert isinstance(second["weight"], BadColumns)
    assert third == {"weight": None, "kind": None}


def test_only_named_columns_are_given(tmp_path: Path) -> None:
    file = write(tmp_path, "image,weight,kind\na.png,1,x\n")
    assert next(read(file, PRICED, columns=("weight",)).chunks([(0, 1)])).columns == [{"weight": 1.0}]


@pytest.mark.parametrize(
    ("header", "plan", "said"),
    [
        ("image,kind", {}, "head 'priced' requires column 'weight', which table.csv does not have; it has 'image'"),
        ("image,weight", {"columns": ("kind",)}, "requires column 'weight', which --columns does not name"),
        ("image,weight", {"columns": ("weight", "size")}, "takes column 'size'; they take 'weight', 'kind'"),
        ("image,weight", {"keep": ("size",)}, "has no column 'size'; it has 'image', 'weight'"),
        ("photo,weight", {}, "has no column 'image'; it has 'photo', 'weight'"),
        ("image,weight,path", {"keep": ("path",)}, "a kept column cannot be called 'path'"),
    ],
)  # fmt: skip
def test_a_column_that_is_not_there_is_named(tmp_path: Path, header: str, plan: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError) as caught:
        read(write(tmp_path, f"{header}\n{','.join('1' * len(header.split(',')))}\n"), PRICED, **plan)
    assert said in str(caught.value)


def test_id_and_kept_columns_are_texts_of_a_text_file(tmp_path: Path) -> None:
    file = write(tmp_path, "image,id,shop,n\na.png,007,north,1\nb.png,8,,2\n")
    assert read(file, keep=("shop",)).kept.to_pylist() == [
        {"path": "a.png", "id": "007", "shop": "north"},
        {"path": "b.png", "id": "8", "shop": None},
    ]


@pytest.mark.parametrize("name", ["path", "error", "error_detail", "model", "embedding", "shade.label"])
def test_a_column_whose_name_the_output_needs_is_not_kept(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=f"a kept column cannot be called '{name}'"):
        read(write(tmp_path, f"image,{name}\na.png,x\n"), keep=(name,))


def test_kept_columns_of_parquet_are_as_they_are_stored(tmp_path: Path) -> None:
    table = pa.table({"image": ["a.png"], "id": [7], "tags": [["x", "y"]]})
    parquet.write_table(table, tmp_path / "t.parquet")
    assert read(tmp_path / "t.parquet", keep=("tags",)).kept.drop_columns(["path"]) == table.drop_columns(["image"])


@pytest.mark.parametrize("rows_of_group", [1000, 7], ids=["one row group", "many"])
def test_bytes_of_images_are_read_in_spans(tmp_path: Path, rows_of_group: int) -> None:
    data = [None if row == 5 else f"image {row}".encode() for row in range(600)]
    parquet.write_table(pa.table({"image": data}), tmp_path / "t.parquet", row_group_size=rows_of_group)
    source = read(tmp_path / "t.parquet")
    assert source.kept["path"][5].as_py() == "t.parquet#7"
    found = [each for span in [(3, 9), (9, 11), (300, 301), (590, 600)] for each in source.images(span)]
    rows = [*range(3, 11), 300, *range(590, 600)]
    assert [each for each in found if isinstance(each, bytes)] == [data[row] for row in rows if row != 5]
    assert found[2] == Failed("unreadable", "row 7 has no image")


def test_structs_of_bytes_and_path_are_read(tmp_path: Path) -> None:
    images = [{"bytes": b"one", "path": "1.png"}, {"bytes": b"two", "path": None}]
    parquet.write_table(pa.table({"image": images, "weight": [1, 2]}), tmp_path / "t.parquet")
    source = read(tmp_path / "t.parquet", PRICED)
    assert source.kept["path"].to_pylist() == ["1.png", "t.parquet#3"]
    assert source.images((0, 2)) == [b"one", b"two"]
    assert next(source.chunks([(1, 2)])).columns == [{"weight": 2.0}]


def test_a_table_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has a header and no rows"):
        read(write(tmp_path, "image\n"))


def test_the_fingerprint_changes_with_the_table(tmp_path: Path) -> None:
    before = read(write(tmp_path, "image\na.png\n")).fingerprint
    assert read(write(tmp_path, "image\na.png\n")).fingerprint == before
    assert read(write(tmp_path, "image\nb.png\n")).fingerprint != before
