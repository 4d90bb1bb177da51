"""What a comparison is kept as."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from tests.training.compare.made_rows import TEST_IMAGES, comparison, row
from training.compare.report.comparison_rows import Comparison, Family, champion, pack


def test_a_comparison_survives_json() -> None:
    before = comparison()
    assert Comparison.model_validate_json(before.model_dump_json()) == before


def test_a_field_that_nobody_knows_is_refused() -> None:
    text = comparison().model_dump_json().replace('"seed":0', '"seed":0,"sead":1')
    with pytest.raises(ValidationError, match="sead"):
        Comparison.model_validate_json(text)


@pytest.mark.parametrize("count", [1, 7, 8, 9, 1000])
def test_right_answers_are_kept_image_by_image(count: int) -> None:
    hits = np.random.default_rng(0).random(count) < 0.7
    kept = row(Family.PIXELS, 1).model_copy(update={"right": (pack(hits), pack(~hits))})
    np.testing.assert_array_equal(kept.hits(count), [hits, ~hits])


def test_another_seed_makes_a_row_of_the_means() -> None:
    joined = row(Family.PIXELS, 800, log_loss=0.4).and_another(row(Family.PIXELS, 900, log_loss=0.6), TEST_IMAGES)
    joined = joined.and_another(row(Family.PIXELS, 850, log_loss=0.8), TEST_IMAGES)
    assert joined.accuracy == pytest.approx(0.85)
    assert joined.log_loss == pytest.approx(0.6)
    assert len(joined.right) == 3
    assert joined.low < 0.8 < 0.9 < joined.high


def test_the_rows_of_a_size_come_best_first() -> None:
    worse, tied, fast = (
        row(Family.PIXELS, 700, name="worse"),
        row(Family.HYBRID, 800, name="less sure", log_loss=0.6),
        row(Family.HYBRID, 800, name="surer", log_loss=0.4),
    )
    found = comparison(rows=(worse, tied, fast)).at(100)
    assert [each.name for each in found] == ["surer", "less sure", "worse"]
    assert champion(found, Family.PIXELS) == worse
    assert champion(found, Family.HOG) is None


def test_sizes_without_a_row_are_not_among_the_sizes() -> None:
    assert comparison().sizes == [100, 1000]
    assert comparison(rows=()).sizes == []
    assert comparison().rows[0].hits(TEST_IMAGES).sum() == 700
