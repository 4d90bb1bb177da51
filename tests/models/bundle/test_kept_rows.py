"""`models.bundle.kept_rows`: what a refit starts from comes back as it was written, or is refused."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.bundle.head_spec import HeadSpec
from models.bundle.kept_rows import TEST, TRAIN, VALIDATION, KeptColumn, KeptRows
from models.bundle.loading import Bundle
from models.bundle.store import Store
from models.columns import Column
from models.errors import BundleError
from tests.tiny_bundle import tiny_bundle

COLUMNS = (Column(name="weight", type="number"), Column(name="a/b", type="category"))
HEAD = HeadSpec(name="shade", kind="x", classes=("dark", "mid", "bright"), columns=COLUMNS)
ROWS = KeptRows(
    embedding=np.arange(12, dtype=np.float16).reshape(3, 4) / 7,
    labels=np.array([0, 2, 1], np.int32),
    part=np.array([TRAIN, VALIDATION, TEST], np.uint8),
    seen=np.array([True, False, False]),
    fitted=np.array([True, True, False]),
    unit=np.array([4, 4, 9], np.int32),
    weight=np.array([1, 2.5, 3], np.float32),
    answer=np.array([b"", b"ab" * 32, b""], "S64"),
    columns={
        "weight": KeptColumn((0.1, None), np.array([0, 1, 0], np.int32)),
        "a/b": KeptColumn(("flat\0", "é", None), np.array([2, 1, 0], np.int32)),
    },
)


def plain(rows: KeptRows) -> KeptRows:
    return replace(rows, columns={})


def test_rows_come_back_as_they_were_written() -> None:
    found = KeptRows.from_file(ROWS.to_file(), HEAD, 4)
    for name in ("embedding", "labels", "part", "seen", "fitted", "unit", "weight", "answer"):
        np.testing.assert_array_equal(getattr(found, name), getattr(ROWS, name), err_msg=name)
    for name, column in ROWS.columns.items():
        assert found.columns[name].distinct == column.distinct
        assert found.columns[name].positions.tolist() == column.positions.tolist()


def test_the_same_rows_make_the_same_bytes() -> None:
    assert ROWS.to_file() == ROWS.to_file()


def test_some_of_the_rows_keep_their_columns() -> None:
    found = ROWS.at(np.array([2]))
    assert [found.columns[name].distinct[found.columns[name].positions[0]] for name in ROWS.columns] == [0.1, "flat\0"]
    assert found.unit.tolist() == [9]


def pickled() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **dict.fromkeys(("embedding", "labels"), np.array([{}], object)))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(b"no archive", "Cannot load file|not a zip file|pickled", id="no archive"),
        pytest.param(pickled(), "allow_pickle", id="pickled objects"),
        pytest.param(replace(ROWS, labels=np.array([0, 3, 1], np.int32)).to_file(), "none of 3 classes", id="class"),
        pytest.param(replace(ROWS, labels=np.zeros(3)).to_file(), "labels is float64", id="numbers"),
        pytest.param(plain(ROWS).to_file(), "columns are \\[\\]", id="no columns"),
        pytest.param(ROWS.to_file()[:-40], "rows-shade.npz", id="cut short"),
    ],
)
def test_what_is_not_a_heads_rows_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(BundleError, match=said):
        KeptRows.from_file(data, HEAD, 4)


def test_another_width_is_refused() -> None:
    with pytest.raises(BundleError, match="embedding is float16 of shape"):
        KeptRows.from_file(ROWS.to_file(), HEAD, 5)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A bundle with rows."""
    bundle = Bundle.open(tiny_bundle(tmp_path / "before"))
    files = {**bundle.files, "rows-shade.npz": plain(ROWS).to_file()}
    return Store(tmp_path / "store").add(bundle.manifest, files)


def test_a_bundle_gives_its_rows(kept: Path) -> None:
    bundle = Bundle.open(kept)
    rows = bundle.kept_rows(bundle.manifest.default_head)
    assert rows is not None
    assert rows.labels.tolist() == [0, 2, 1]


def test_a_bundle_without_rows_has_none(tiny_path: Path) -> None:
    bundle = Bundle.open(tiny_path)
    assert bundle.kept_rows(bundle.manifest.default_head) is None


def test_an_open_bundle_does_not_hold_its_rows_in_memory(kept: Path) -> None:
    files = Bundle.open(kept).files
    assert "rows-shade.npz" in files
    assert files["rows-shade.npz"] is not files["rows-shade.npz"]
    assert files["head-shade.onnx"] is files["head-shade.onnx"]


def test_rows_that_change_are_refused_when_the_bundle_is_opened_and_when_they_are_asked_for(kept: Path) -> None:
    bundle = Bundle.open(kept)
    file = kept / "rows-shade.npz"
    data = bytearray(file.read_bytes())
    data[50] ^= 1
    file.write_bytes(data)
    with pytest.raises(BundleError, match=r"rows-shade\.npz: SHA-256"):
        bundle.kept_rows(bundle.manifest.default_head)
    with pytest.raises(BundleError, match=r"rows-shade\.npz: SHA-256"):
        Bundle.open(kept)
