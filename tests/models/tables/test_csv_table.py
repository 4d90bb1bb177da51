"""CSV of spreadsheets of many countries is read as the same values."""

from __future__ import annotations

import csv
import io
import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import DataError
from models.tables.csv_table import CsvTable, open_csv
from models.tables.dialect import SEPARATORS, Dialect
from models.tables.missing_values import SURE
from training.tables.table import TableLayout, read

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252")
GROUPS = {".": ("", ",", " ", "'", "\u00a0"), ",": ("", ".", " ", "'", "\u202f")}
DIALECTS = [
    (separator, decimal, group, encoding)
    for separator, decimal, encoding in itertools.product(SEPARATORS.values(), GROUPS, ENCODINGS)
    for group in GROUPS[decimal]
    if group != "\u202f" or encoding != "cp1252"
]
WORDS = st.text("abc\u00e9\u00fc ;,|\"\n\t'/-", min_size=1, max_size=8).map(lambda text: f"x{text}x")


def opened(folder: Path, content: str | bytes, dialect: Dialect | None = None) -> CsvTable:
    path = folder / "table.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return open_csv(path, dialect or Dialect())


def rows(table: CsvTable, *names: str) -> list[tuple[int, list[str | None]]]:
    return [(number, list(cells)) for number, cells in table.rows(names or table.header)]


def number_text(value: float, decimal: str, group: str) -> str:
    whole, _, fraction = f"{value:,.2f}".partition(".")
    return whole.replace(",", group) + decimal + fraction


@settings(max_examples=60, deadline=None)
@given(
    dialect=st.sampled_from(DIALECTS),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    unit=st.sampled_from(["", " g", "%", " \u20ac"]),
    values=st.lists(st.tuples(st.decimals(-(10**7), 10**7, places=2), WORDS, st.booleans()), min_size=2, max_size=8),
)
def test_a_table_in_any_dialect_is_read_as_the_same_values(
    tmp_path_factory: pytest.TempPathFactory,
    dialect: tuple[str, str, str, str],
    newline: str,
    quoting: int,
    unit: str,
    values: list[tuple[float, str, bool]],
) -> None:
    separator, decimal, group, encoding = dialect
    folder = tmp_path_factory.mktemp("table")
    (folder / "a b.png").write_bytes(b"")
    # Python 3.11 writes a line feed without quotes where lines end otherwise
    values = [(value, word if "\n" in newline else word.replace("\n", " "), is_new) for value, word, is_new in values]
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=separator, lineterminator=newline, quoting=quoting)  # type: ignore[arg-type]
    writer.writerow(["image", "label", "price", "word", "new", "when"])
    for value, word, is_new in values:
        price = number_text(float(value), decimal, group) + unit
        writer.writerow(["a b.png", "cup", price, word, "yes" if is_new else "No", "2024-02-29"])
    (folder / "table.csv").write_bytes(file.getvalue().encode(encoding))
    table = read(folder / "table.csv", TableLayout("image", "label", ("price", "word", "new", "when")))
    assert [column.type for column in table.columns] == ["number", "category", "boolean", "date"]
    assert [row["price"] for row in table.rows] == [float(value) for value, _, _ in values]
    assert [row["new"] for row in table.rows] == [is_new for _, _, is_new in values]
    assert {row["when"] for row in table.rows} == {19782.0}
    assert table.images == [folder / "a b.png"] * len(values)


@pytest.mark.parametrize("line", ["sep=^", '"sep=^"', "SEP=^"])
def test_the_first_line_of_a_spreadsheet_may_name_the_separator(line: str, tmp_path: Path) -> None:
    table = opened(tmp_path, f"\ufeff{line}\r\na^b,c\r\n1^2,5\r\n")
    assert (table.header, rows(table)) == (("a", "b,c"), [(2, ["1", "2,5"])])
    assert table.how == ("encoding: UTF-8 with a byte order mark", "separator: '^'")


def test_rows_are_numbered_as_a_spreadsheet_numbers_them(tmp_path: Path) -> None:
    table = opened(tmp_path, 'a,b\n"1\n1",2\n\n,\n3,4\n\n\n')
    assert rows(table) == [(2, ["1\n1", "2"]), (5, ["3", "4"])]


@pytest.mark.parametrize(
    ("content", "header"),
    [
        ("\n\na,b\n1,2\n", ("a", "b")),
        (" a , b\u00a0\n1,2\n", ("a", "b")),
        ("a,b,,\n1,2,,\n", ("a", "b", "", "")),
        ("cafe\u0301,b\n1,2\n", ("caf\u00e9", "b")),
        ("\ufeff\ufeffa,b\n1,2\n", ("a", "b")),
    ],
    ids=["behind empty lines", "spaces", "empty names", "another Unicode form", "two byte order marks"],
)
def test_names_are_cleaned(content: str, header: tuple[str, ...], tmp_path: Path) -> None:
    table = opened(tmp_path, content)
    assert table.header == header
    assert [cells for _, cells in rows(table, header[0], header[1])] == [["1", "2"]]


def test_a_quoted_word_for_a_missing_value_is_marked(tmp_path: Path) -> None:
    content = 'a;b;c\n"NA";NA;"null"\n NA; "none" ;"NA"\n"x;""NA"";y";"nab";"n/a"\n'
    table = opened(tmp_path, content.replace('"none" ', '"none"'))
    assert [cells for _, cells in rows(table)] == [
        [f"{SURE}NA", "NA", f"{SURE}null"],
        ["NA", f"{SURE}none", f"{SURE}NA"],
        ['x;"NA";y', "nab", f"{SURE}n/a"],
    ]


def test_quotes_may_stand_behind_a_space(tmp_path: Path) -> None:
    assert rows(opened(tmp_path, 'a, b\n"1", "2, 3"\n')) == [(2, ["1", "2, 3"])]


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        ("a;b\n1,5;2\n", ","),
        ("a;b\n1.5;2\n", "."),
        ("a;b\n1,5;1.5\n", None),
        ("a;b\nx,5;1.2.3\n", None),
        ("a;b\n1,5;NA\nNA;3\n", ","),
    ],
    ids=["commas", "points", "both", "no numbers", "missing values"],
)
def test_the_decimal_sign_of_the_file_is_seen_in_its_columns(content: str, seen: str | None, tmp_path: Path) -> None:
    assert opened(tmp_path, content).decimals.seen == seen


def test_what_a_person_says_is_followed(tmp_path: Path) -> None:
    table = opened(tmp_path, "a;b,c\n\xe4;1,2\n".encode("cp1251", "replace"), Dialect(",", ",", "cp1251"))
    assert (table.header, table.decimals.asked) == (("a;b", "c"), ",")
    assert table.how[0] == "encoding: cp1251, as asked for"


def test_a_file_that_is_not_in_the_named_encoding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not in ascii"):
        opened(tmp_path, "a,b\n\u00e4,1\n", Dialect(encoding="ascii"))


def test_a_wide_table_lists_some_of_its_names(tmp_path: Path) -> None:
    table = opened(tmp_path, ",".join(f"c{i}" for i in range(5000)) + "\n" + ",".join("1" * 5000) + "\n")
    assert rows(table, "c4999") == [(2, ["1"])]
    with pytest.raises(DataError, match="'c29' and 4,970 more; is 'c7' meant"):
        rows(table, "C7")
