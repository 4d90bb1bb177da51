"""Columns of parquet, by their types."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from models.columns import Column, ColumnValue
from models.dates import parse_days
from models.tables.dialect import Dialect
from training.exceptions import DataError
from training.tables.table import Table, TableLayout, read

UTC = datetime.UTC
DAY = datetime.datetime(2021, 1, 3, 12)
NOON = parse_days("2021-01-03T12:00Z")


def table_of(folder: Path, value: pa.Array, layout: TableLayout | None = None, **others: Any) -> Table:
    (folder / "x.png").write_bytes(b"")
    images = ["x.png"] * len(value)
    columns = {"image": images, "label": ["a", *["b"] * (len(value) - 1)], "fact": value, **others}
    parquet.write_table(pa.table(columns), folder / "table.parquet")
    return read(folder / "table.parquet", layout or TableLayout("image", "label", ("fact",)))


def column_of(folder: Path, value: pa.Array) -> tuple[Column, list[ColumnValue]]:
    table = table_of(folder, value)
    return table.columns[0], [row["fact"] for row in table.rows]


@pytest.mark.parametrize(
    ("array", "type_", "values"),
    [
        pytest.param(pa.array([1, None, 2**53]), "number", [1.0, None, float(2**53)], id="whole numbers"),
        pytest.param(pa.array([1.5, float("nan"), None]), "number", [1.5, None, None], id="floats, NaN is missing"),
        pytest.param(pa.array([1.234, 2.345]), "number", [1.234, 2.345], id="floats of three digits"),
        pytest.param(pa.array([1.5, 2], pa.float32()), "number", [1.5, 2.0], id="float32"),
        pytest.param(
            pa.array([0.1, None, 1e20, 16777216.0], pa.float32()),
            "number",
            [0.1, None, 1e20, 16777216.0],
            id="float32 by its shortest decimals",
        ),
        pytest.param(pa.array(np.array([0.1, 3.14], np.float16)), "number", [0.1, 3.14], id="float16, too"),
        pytest.param(
            pa.array([0.1, 0.2], pa.float32()).dictionary_encode(), "number", [0.1, 0.2], id="a dictionary of float32"
        ),
        pytest.param(pa.array([1, 255], pa.uint8()), "number", [1.0, 255.0], id="bytes"),
        pytest.param(pa.array([Decimal("1.50"), None]), "number", [1.5, None], id="decimals"),
        pytest.param(pa.array([True, None, False]), "boolean", [True, None, False], id="booleans"),
        pytest.param(pa.array(["p", "q", "P"]), "category", ["p", "q", "p"], id="texts"),
        pytest.param(pa.array(["p", "q"], pa.large_string()), "category", ["p", "q"], id="long texts"),
        pytest.param(pa.array(["p", "q"], pa.string_view()), "category", ["p", "q"], id="views of texts"),
        pytest.param(pa.array(["p", "q", "p"]).dictionary_encode(), "category", ["p", "q", "p"], id="a dictionary"),
        pytest.param(pa.array([1.5, 2.5]).dictionary_encode(), "number", [1.5, 2.5], id="a dictionary of numbers"),
        pytest.param(pa.array([b"p", "\u00e9".encode(), None]), "category", ["p", "\u00e9", None], id="bytes in UTF-8"),
        pytest.param(pa.array([b"pp", b"qq"], pa.binary(2)), "category", ["pp", "qq"], id="bytes of a fixed size"),
        pytest.param(pa.array(["1,5", "2"]), "number", [1.5, 2.0], id="texts of numbers"),
        pytest.param(pa.array(["007", "12"]), "category", ["007", "12"], id="texts of codes"),
        pytest.param(pa.array(["NA", "p", None]), "category", ["NA", "p", None], id="NA is a text beside null"),
        pytest.param(pa.array([DAY.date(), None]), "date", [18630.0, None], id="dates"),
        pytest.param(pa.array([DAY.date()], pa.date64()), "date", [18630.0], id="dates in milliseconds"),
        pytest.param(pa.array([DAY], pa.timestamp("s")), "date", [NOON], id="timestamps in seconds"),
        pytest.param(pa.array([DAY, None], pa.timestamp("ms")), "date", [NOON, None], id="in milliseconds"),
        pytest.param(pa.array([DAY], pa.timestamp("us")), "date", [NOON], id="in microseconds"),
        pytest.param(pa.array([DAY], pa.timestamp("ns")), "date", [NOON], id="in nanoseconds"),
        pytest.param(
            pa.array([DAY.replace(tzinfo=UTC)], pa.timestamp("us", "Asia/Tokyo")), "date", [NOON], id="of a zone"
        ),
        pytest.param(pa.array(["2021-01-03T12:00Z"]), "date", [NOON], id="texts of dates"),
    ],
)
def test_a_column_has_the_type_that_the_file_names(
    array: pa.Array, type_: str, values: list[ColumnValue], tmp_path: Path
) -> None:
    column, found = column_of(tmp_path, array)
    assert (column.type, found) == (type_, values)
    assert column.required == (None not in values)


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        pytest.param(
            pa.array([datetime.time(12)]), "is of type time64[us], which is not supported; write it", id="times"
        ),
        pytest.param(
            pa.array([datetime.timedelta(1)]), "is of type duration[us], which is not supported", id="durations"
        ),
        pytest.param(pa.array([[1, 2]]), "is of type list<", id="lists"),
        pytest.param(
            pa.array([[1.0, 2.0]], pa.list_(pa.float32(), 2)), "write a column for each of its values", id="vectors"
        ),
        pytest.param(pa.array([{"bytes": b"x"}]), "a picture belongs into a file", id="structs"),
        pytest.param(pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())), "is of type map<", id="maps"),
        pytest.param(
            pa.array([b"p", b"\x89PNG\xff"]), "'fact' has bytes in row 3 that are no text in UTF-8", id="pictures"
        ),
        pytest.param(pa.array([1.5, float("inf"), 2.0]), "'fact' has numbers, but 'inf' in row 3", id="infinity"),
        pytest.param(pa.nulls(2), "column 'fact' is empty in all 2 rows", id="nulls"),
    ],
)
def test_a_type_that_no_column_can_have_is_refused_by_name(array: pa.Array, reason: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        table_of(tmp_path, array)
    assert "column 'fact'" in str(caught.value)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "labels",
    [pa.array([1, 2, None, 1]), pa.array([1.0, 2.0, None, 1.0]), pa.array([1, 2, None, 1]).dictionary_encode()],
    ids=["whole numbers", "floats, as pandas makes them of whole numbers with a missing one", "a dictionary"],
)
def test_labels_with_a_missing_one_stay_whole_numbers(labels: pa.Array, tmp_path: Path) -> None:
    table = table_of(tmp_path, pa.array([1, 2, 3, 4]), TableLayout("image", "kind"), kind=labels)
    assert table.labels == ["1", "2", "1"]
    assert table.skipped == ("row 4: no kind",)


def test_a_request_with_the_least_value_of_a_float32_column_is_within_it(tmp_path: Path) -> None:
    column, _ = column_of(tmp_path, pa.array([0.1, 0.3], pa.float32()))
    assert (column.low, column.high) == (0.1, 0.3)
    assert not column.is_outside(0.1)
    assert not column.is_outside(0.3)


def test_booleans_as_labels_are_classes_without_a_remark(tmp_path: Path) -> None:
    table = table_of(tmp_path, pa.array([1, 2, 3]), TableLayout("image", "kind"), kind=pa.array([True, False, True]))
    assert table.labels == ["True", "False", "True"]
    assert not [sentence for sentence in table.how if "kind" in sentence]


def test_a_decimal_sign_that_is_asked_for_is_of_texts_only(tmp_path: Path) -> None:
    layout = TableLayout("image", "label", ("fact", "text"), dialect=Dialect(decimal=","))
    table = table_of(tmp_path, pa.array([1.234, 2.5]), layout, text=pa.array(["1.234", "2,5"]))
    assert table.rows == [{"fact": 1.234, "text": 1234.0}, {"fact": 2.5, "text": 2.5}]


def test_columns_of_other_types_are_no_hindrance_where_they_are_not_asked_for(tmp_path: Path) -> None:
    assert len(table_of(tmp_path, pa.array([[1], [2]]), TableLayout("image", "label")).images) == 2
