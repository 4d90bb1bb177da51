"""How a text file is written: its encoding and its separator."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import DataError
from models.tables.dialect import check_encoding, find_encoding, find_separator

TEXT = "image;label\nGr\u00f6\u00dfe.png;h\u00fcbsch\n"


@pytest.mark.parametrize(
    ("written", "found", "notes"),
    [
        ("utf-8", "utf-8", "UTF-8"),
        ("utf-8-sig", "utf-8-sig", "UTF-8 with a byte order mark"),
        ("utf-16", "utf-16", "UTF-16 with a byte order mark"),
        ("utf-16-le", "utf-16-le", "UTF-16-LE without a byte order mark"),
        ("utf-16-be", "utf-16-be", "UTF-16-BE without a byte order mark"),
        ("utf-32", "utf-32", "UTF-32 with a byte order mark"),
        ("cp1252", "cp1252", "Windows-1252, as it is not UTF-8: 'Gr\u00f6\u00dfe' (--encoding names another)"),
        ("latin-1", "cp1252", "Windows-1252, as it is not UTF-8: 'Gr\u00f6\u00dfe' (--encoding names another)"),
    ],
)
def test_an_encoding_is_found_from_the_bytes(written: str, found: str, notes: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(TEXT.encode(written))
    assert find_encoding(path) == (found, notes)
    assert path.read_text(found) == TEXT


def test_utf_16_of_the_other_byte_order_has_a_mark_too(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(b"\xfe\xff" + TEXT.encode("utf-16-be"))
    assert find_encoding(tmp_path / "table.csv")[0] == "utf-16"


def test_a_byte_beyond_ascii_far_down_is_seen(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(b"image,label\n" + b"a.png,cup\n" * 200_000 + b"a.png,caf\xe9\n")
    assert find_encoding(tmp_path / "table.csv")[0] == "cp1252"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("\u00e9\u00e8\n\u00e0".encode() + b"\xff", "is UTF-8 but for 1 bytes, the first of them 0xFF in line 2"),
        ("\u00e9\u00e8".encode() + b"\xc3", "is UTF-8 but for 1 bytes, at its end"),
        (b"caf\x81", "is neither UTF-8 nor Windows-1252"),
    ],
    ids=["a damaged byte", "cut short", "bytes that neither has"],
)
def test_a_damaged_file_is_refused(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(DataError) as caught:
        find_encoding(tmp_path / "table.csv")
    assert reason in str(caught.value)


@pytest.mark.parametrize("name", ["base64", "rot13", "nonsense", "utf-8\0", ""])
def test_a_name_of_no_encoding_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="is no encoding; utf-8"):
        check_encoding(name)


@pytest.mark.parametrize(
    ("lines", "separator"),
    [
        (["a,b,c", "1,2,3"], ","),
        (["a;b;c", "1,5;2;3"], ";"),
        (["a;b", "1,5;2,5", "2,5;3,5"], ";"),
        (["a\tb", "1,5\t2;3"], "\t"),
        (["a|b", "1|2"], "|"),
        (["a,b,tags", "1,2,x;y", "1,2,x;y;z"], ","),
        (['"a;b","c"', '"1;2","3"'], ","),
        (["price, EUR;weight;label", "1,5;2;x"], ";"),
        (["a;b;c", "1;2;3;4", "1;2;3", "1;2;3"], ";"),
        (["a;b;c"], ";"),
        (["a;b;c", "1;2", "1;2;3;4"], ";"),
        (["a", "1"], ","),
        ([], ","),
    ],
    ids=["commas", "semicolons", "decimal commas between semicolons", "tabs", "pipes", "semicolons within cells",
         "semicolons within quotes", "a comma in the header", "a row that is too long", "a header alone",
         "no row as long as the header", "one column",
         "nothing"],
)  # fmt: skip
def test_a_separator_gives_most_rows_as_many_cells_as_the_header(lines: list[str], separator: str) -> None:
    assert find_separator(lines) == separator
