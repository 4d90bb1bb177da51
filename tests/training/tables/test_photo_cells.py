"""`training.tables.photo_cells`: cells that name several images, in every way in which people write that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from models.bundle.input_spec import InputSpec
from tests.training.squares import write_image
from training.data.dataset import Dataset
from training.exceptions import DataError
from training.tables import tabular
from training.tables.photo_cells import PhotoFiles, find_photos
from training.tables.table import TableLayout, read
from training.tables.table_survey import survey

NAMES = ("a.png", "b c.png", "d.png", "e;f.png", "g|h.png")
SPEC = InputSpec(height=8, width=8, channels=3)
ASK = TableLayout("image", "label")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for shade, name in enumerate(NAMES):
        write_image(tmp_path / name, np.full((8, 8, 3), 40 * shade, np.uint8))
    return tmp_path


def found(folder: Path, *cells: str | None) -> PhotoFiles:
    return find_photos(folder, cells, range(2, 2 + len(cells)))


@pytest.mark.parametrize(
    "cell",
    [
        '["a.png", "b c.png", null, ""]',
        '["./a.png","b c.png"]',
        "a.png;b c.png",
        "a.png | b c.png",
        " a.png ; ;b c.png;",
    ],
)
def test_several_paths_in_a_cell_are_photos_of_one_row(folder: Path, cell: str) -> None:
    files = found(folder, "d.png", cell)
    assert files.counts is not None
    assert files.counts.tolist() == [1, 2]
    assert [path.name for path in files.paths] == ["d.png", "a.png", "b c.png"]


@pytest.mark.parametrize("cell", ["e;f.png", "g|h.png", '["a.png"]', "a.png;"])
def test_a_cell_that_names_one_file_is_one_image(folder: Path, cell: str) -> None:
    files = found(folder, cell, "d.png")
    assert files.counts is None
    assert len(files.paths) == 2


def test_a_list_may_have_signs_in_its_names(folder: Path) -> None:
    files = found(folder, '["e;f.png", "g|h.png"]')
    assert [path.name for path in files.paths] == ["e;f.png", "g|h.png"]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("a.png;z.png", r"1 of 2 images are not in .*: z\.png \(row 2\)"),
        ("[]", "row 2 names no image"),
        ('[null, ""]', "row 2 names no image"),
        (None, "row 2 names no image"),
        ("a.png;../b.png", "row 2: '../b.png' leaves the folder of images"),
        ("data:image/png;base64,AAAA", "is an image itself"),
    ],
    ids=["a missing file", "an empty list", "a list of nothing", "nothing", "outside", "a data URI"],
)
def test_what_is_wrong_with_a_photo_names_its_row(folder: Path, cell: str | None, text: str) -> None:
    with pytest.raises(DataError, match=text):
        found(folder, cell)


def written(folder: Path, lines: list[str]) -> Path:
    (folder / "table.csv").write_text("\n".join(lines))
    return folder / "table.csv"


LINES = [
    "image,label,site",
    "a.png;b c.png,x,1",
    "d.png,y,1",
    "a.png;d.png,x,2",
    "g|h.png,y,3",
    '"[""a.png"", ""d.png""]",x,4',
]


def streamed(path: Path, layout: TableLayout = ASK) -> Dataset:
    return tabular.stream(read(path, layout), name="x", spec=SPEC)


def test_a_row_of_several_photos_is_one_instance_with_its_first_photo_in_front(folder: Path) -> None:
    dataset = streamed(written(folder, LINES), TableLayout("image", "label", ("site",)))
    assert dataset.labels.tolist() == [0, 1, 0, 1, 0]
    assert [row["site"] for row in dataset.rows] == [1, 1, 2, 3, 4]
    assert dataset.files == ("a.png", "d.png", "a.png", "g|h.png", "a.png")
    assert dataset.photos is not None
    assert dataset.photos.counts.tolist() == [2, 1, 2, 1, 2]
    assert dataset.images[np.arange(5)][:, 0, 0, 0].tolist() == [0, 80, 0, 160, 0]
    assert dataset.photos.images[np.arange(8)][:, 0, 0, 0].tolist() == [0, 40, 80, 0, 80, 160, 0, 80]
    assert "5 rows with 8 photos, up to 2 in a row: each row is one thing" in dataset.notes


def test_the_lists_of_a_parquet_column_are_read(folder: Path) -> None:
    cells = [["a.png", "b c.png"], ["d.png"], ["e;f.png", None], ["g|h.png", "a.png", "d.png"]]
    parquet.write_table(pa.table({"image": cells, "label": list("xyxy")}), folder / "table.parquet")
    dataset = streamed(folder / "table.parquet")
    assert dataset.photos is not None
    assert dataset.photos.counts.tolist() == [2, 1, 1, 3]
    assert "up to 3 in a row" in survey(folder / "table.parquet", ASK).described["image"]


def test_a_list_beside_the_image_is_still_refused(folder: Path) -> None:
    columns = {"image": ["a.png", "d.png"], "label": ["x", "y"], "tags": [["p"], ["q"]]}
    parquet.write_table(pa.table(columns), folder / "table.parquet")
    with pytest.raises(DataError, match="write a column for each of its values"):
        read(folder / "table.parquet", TableLayout("image", "label", ("tags",)))


def test_a_photo_that_cannot_be_read_is_left_out_and_a_row_without_any_other(folder: Path) -> None:
    (folder / "b c.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    dataset = streamed(written(folder, [*LINES, "b c.png,x,5"]), TableLayout("image", "label", split=None))
    assert dataset.photos is not None
    assert dataset.photos.counts.tolist() == [1, 1, 2, 1, 2]
    assert "2 photos cannot be read and are left out; rows that have no other and are left out, too: 1" in dataset.notes
    assert len(dataset.skipped) == 2


def test_parts_and_groups_are_of_rows(folder: Path) -> None:
    lines = ["image,label,part,who"]
    lines += [f"a.png;d.png,{'xy'[row % 2]},{'train' if row < 4 else 'test'},{row // 2}" for row in range(8)]
    dataset = streamed(written(folder, lines), TableLayout("image", "label", split="part", group="who"))
    assert dataset.official_test is not None
    assert dataset.official_test.tolist() == [4, 5, 6, 7]
    assert len(set(dataset.unit.tolist())) == 4


def test_a_network_is_not_fitted_to_rows_of_several_photos(folder: Path) -> None:
    with pytest.raises(DataError, match="rows name several images each"):
        tabular.load(read(written(folder, LINES), ASK), name="x")
