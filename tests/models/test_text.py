"""`models.text`: what counts as the same text."""

from __future__ import annotations

import pytest

from models.text import clean, key


@pytest.mark.parametrize(
    ("given", "cleaned"),
    [
        pytest.param("zinc", "zinc", id="as it is"),
        pytest.param(" zinc\t", "zinc", id="spaces around it"),
        pytest.param("cast  \n iron", "cast iron", id="spaces within"),
        pytest.param("cast\u00a0iron", "cast iron", id="no-break space"),
        pytest.param("\ufeffzinc\u200b", "zinc", id="invisible characters"),
        pytest.param("cafe\u0301", "caf\u00e9", id="combining accent"),
        pytest.param("Zinc", "Zinc", id="case is kept"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_spaces_and_unicode_form_are_made_alike(given: str, cleaned: str) -> None:
    assert clean(given) == cleaned


@pytest.mark.parametrize("other", ["fish", "FISH ", " Fish", "fi\u200bsh"])
def test_case_does_not_count_in_a_comparison(other: str) -> None:
    assert key(other) == key("Fish")


@pytest.mark.parametrize("other", ["fis h", "fishes", "f\u00efsh"])
def test_other_differences_do(other: str) -> None:
    assert key(other) != key("Fish")
