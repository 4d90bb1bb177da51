"""The page on settings has each setting with its default and its range, and no page names one that is not there."""

from __future__ import annotations

import re

import pytest
from annotated_types import Ge, Le

from service.settings import PREFIX, Settings
from tests.docs.pages import PAGES, ROOT

PAGE = PAGES["docs/reference/settings.md"]
UNITS = {"GiB": 1024**3, "TiB": 1024**4}


def row(field: str) -> re.Match[str]:
    """The row of a setting: default, range and text."""
    found = re.search(rf"^\| `{PREFIX}{field.upper()}` \| (.+?) \| (.+?) \| (.+) \|$", PAGE, re.MULTILINE)
    assert found, f"{PREFIX}{field.upper()} has no row in docs/reference/settings.md"
    return found


@pytest.mark.parametrize("field", Settings.model_fields)
def test_a_setting_has_a_row_with_its_default(field: str) -> None:
    default = Settings.model_fields[field].default
    if field == "workers":
        expected = "number of cores"
    elif field == "bundle":
        expected = f"`{default.relative_to(ROOT)}`"
    elif default in (None, ""):
        expected = "none"
    else:
        expected = f"`{str(default).lower() if isinstance(default, bool) else default}`"
    assert row(field)[1] == expected


@pytest.mark.parametrize(
    "field", [name for name, field in Settings.model_fields.items() if any(isinstance(m, Ge) for m in field.metadata)]
)
def test_a_setting_that_is_a_number_has_its_range(field: str) -> None:
    bounds = Settings.model_fields[field].metadata
    low, high = row(field)[2].split(" to ")
    number, _, unit = high.partition(" ")
    assert int(low.replace(",", "")) == next(bound.ge for bound in bounds if isinstance(bound, Ge))
    assert int(number.replace(",", "")) * UNITS.get(unit, 1) == next(b.le for b in bounds if isinstance(b, Le))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_no_setting_that_is_not_there(page: str) -> None:
    named = set(re.findall(rf"{PREFIX}([A-Z_]+)", PAGES[page]))
    assert named <= {field.upper() for field in Settings.model_fields}
