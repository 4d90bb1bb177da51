"""`training.tables.tabular`: a table and its images become a data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.bundle.input_spec import InputSpec
from models.runtime.embedding_files import key_of
from tests.training.squares import write_image
from training.data.dataset import Dataset, subset
from training.exceptions import DataError
from training.tables import tabular
from training.tables.table import TableLayout, read

SPEC = InputSpec(height=8, width=8, channels=3)
ASK = TableLayout("image", "label", ("size",), "part")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve images, one damaged, in a table with labels, sizes and parts."""
    lines = ["image,label,size,part"]
    for row in range(12):
        write_image(tmp_path / f"{row}.png", np.full((8, 8, 3), row * 20, np.uint8))
        lines.append(f"{row}.png,{'ab'[row % 2]},{row / 2},{('train', 'train', 'val', 'test')[row // 3]}")
    (tmp_path / "5.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "table.csv").write_text("\n".join(lines))
    return tmp_path


def stream(folder: Path, layout: TableLayout = ASK) -> Dataset:
    return tabular.stream(read(folder / "table.csv", layout), name="x", spec=SPEC)


def test_rows_keep_their_label_columns_part_and_key_where_one_is_left_out(folder: Path) -> None:
    dataset = stream(folder)
    assert len(dataset.images) == len(dataset.labels) == len(dataset.rows) == len(dataset.keys) == 11
    assert dataset.classes == ("a", "b")
    assert [row["size"] for row in dataset.rows] == [row / 2 for row in range(12) if row != 5]
    assert dataset.official_test is not None
    assert dataset.official_validation is not None
    assert (dataset.official_validation.tolist(), dataset.official_test.tolist()) == ([5, 6, 7], [8, 9, 10])
    assert dataset.images[np.array([5])][0, 0, 0, 0] == 6 * 20
    assert dataset.keys[5] == key_of((folder / "6.png").read_bytes())
    assert dataset.skipped[0].startswith(f"{folder / '5.png'}: ")


def test_pixels_in_memory_are_the_same(folder: Path) -> None:
    streamed = stream(folder)
    loaded = tabular.load(read(folder / "table.csv", ASK), name="x", image_size=8)
    np.testing.assert_array_equal(loaded.images, streamed.images[np.arange(11)])
    assert (loaded.keys, loaded.rows, loaded.skipped) == (streamed.keys, streamed.rows, streamed.skipped)


def test_images_that_were_decoded_before_are_not_decoded_again(folder: Path) -> None:
    damaged = key_of((folder / "5.png").read_bytes())
    dataset = tabular.stream(read(folder / "table.csv", ASK), name="x", spec=SPEC, known={damaged})
    assert dataset.skipped == ()


def test_a_part_of_it_keeps_rows_and_keys_together(folder: Path) -> None:
    dataset = stream(folder)
    small = subset(dataset, 4, 0)
    for key, row in zip(small.keys, small.rows, strict=True):
        assert dataset.rows[dataset.keys.index(key)] == row


def test_numbers_are_to_be_named(folder: Path) -> None:
    dataset = stream(folder, TableLayout("image", "size", task="regression"))
    assert (dataset.task, dataset.classes, dataset.labels.dtype) == ("regression", (), np.float64)
    assert dataset.named(dataset.labels[1]) == "0.5"


def test_a_label_seen_once_is_named(folder: Path) -> None:
    table = (folder / "table.csv").read_text().replace("4.png,a", "4.png,rare")
    (folder / "table.csv").write_text(table)
    with pytest.raises(DataError, match="labels of fewer than 2 readable images: 'rare'"):
        stream(folder)


def test_labels_seen_once_that_are_several_in_one_are_explained(folder: Path) -> None:
    table = (folder / "table.csv").read_text().replace("4.png,a", "4.png,a;b")
    (folder / "table.csv").write_text(table)
    with pytest.raises(DataError, match=r"'a;b'; add rows .* Several labels for one image are not supported"):
        stream(folder)


def test_one_label_is_not_enough(folder: Path) -> None:
    (folder / "table.csv").write_text((folder / "table.csv").read_text().replace(",b,", ",a,"))
    with pytest.raises(DataError, match="the labels are all 'a'; at least 2 classes are needed"):
        stream(folder)
