"""The page on clients shows the programs as they are."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "clients.md").read_text()  # `PAGES` joins lines that end with a backslash
FOLDER = ROOT / "docs" / "examples" / "clients"
BLOCKS = re.findall(r"```\w+\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("name", sorted(file.name for file in FOLDER.iterdir() if file.is_file()))
def test_a_program_is_on_the_page(name: str) -> None:
    assert (FOLDER / name).read_text() in BLOCKS


def test_the_page_shows_no_other_program() -> None:
    assert len(BLOCKS) == len([file for file in FOLDER.iterdir() if file.is_file()])
