"""Options of a table become what is asked of it."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from models.tables import dialect_options
from models.tables.dialect import Dialect
from training.cli import data_options
from training.tables.table import TableLayout


def parse(*words: str) -> TableLayout:
    parser = argparse.ArgumentParser(exit_on_error=False)
    data_options.add_table(parser)
    return data_options.ask(parser.parse_args(words))


def test_without_options_everything_is_found_out() -> None:
    assert parse() == TableLayout("image", "label")


def test_each_part_of_the_dialect_can_be_said() -> None:
    words = ("--separator", "tab", "--decimal", "comma", "--encoding", "latin-1", "--missing", "NA,-", "--no-links")
    asked = parse(*words, "--images-root", "photos")
    assert asked.dialect == Dialect("\t", ",", "latin-1", ("NA", "-"))
    assert (asked.images_root, asked.follow) == (Path("photos"), False)


def test_no_word_may_be_missing() -> None:
    assert parse("--missing", "").dialect.missing == ()


@pytest.mark.parametrize(
    ("said", "separator"),
    [
        (",", ","),
        ("semicolon", ";"),
        ("Tab", "\t"),
        ("\\t", "\t"),
        ("pipe", "|"),
        ("space", " "),
        ("^", "^"),
        (":", ":"),
    ],
)
def test_a_separator_is_named_or_given(said: str, separator: str) -> None:
    assert parse("--separator", said).dialect.separator == separator


@pytest.mark.parametrize("said", ["", "ab", "a", "1", '"', "\n", ";;"])
def test_what_cannot_separate_cells_is_refused(said: str) -> None:
    with pytest.raises(argparse.ArgumentError, match="is no separator: comma, semicolon, tab, pipe, or one character"):
        parse("--separator", said)


@pytest.mark.parametrize("said", ["", ";", "dot."])
def test_another_decimal_sign_is_refused(said: str) -> None:
    with pytest.raises(argparse.ArgumentError, match="is no decimal sign: point or comma"):
        parse("--decimal", said)


def test_an_unknown_encoding_is_refused() -> None:
    with pytest.raises(argparse.ArgumentError, match="'nonsense' is no encoding; utf-8, utf-16"):
        parse("--encoding", "nonsense")


@pytest.mark.parametrize(
    ("text", "names"),
    [("a, b", ("a", "b")), ('"size, mm",b', ("size, mm", "b")), ('a, "b,c"', ("a", "b,c")), ("", ()),
     ("a,,b,", ("a", "b")), ('5" disk', ('5" disk',))],
)  # fmt: skip
def test_a_name_with_a_comma_is_in_quotes(text: str, names: tuple[str, ...]) -> None:
    assert dialect_options.names(text) == names
    assert dialect_options.names(data_options.listed(names)) == names


@pytest.mark.parametrize("text", ['"a', '"a"b,c'])
def test_quotes_that_do_not_end_a_name_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no list of names such as A,B or"):
        dialect_options.names(text)
