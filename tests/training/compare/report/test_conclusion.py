"""The verdict's rules, each by rows made for it."""

from __future__ import annotations

import re

import pytest

from tests.training.compare.made_rows import TEST_IMAGES, row
from training.compare.report.comparison_rows import Family, Row
from training.compare.report.conclusion import compare, conclude, interrupted


def verdict(*rows: Row, data: str = "clothes", margin: float = 1.0) -> str:
    return plain(conclude(data, rows, TEST_IMAGES, margin)[1])


def plain(sentences: tuple[str, ...]) -> str:
    return "\n".join(sentences).replace("\N{NO-BREAK SPACE}", " ")


def test_the_more_pairs_there_were_to_pick_from_the_wider_are_the_limits() -> None:
    a, b = row(Family.HYBRID, 900), row(Family.PIXELS, 875, first_wrong=60)
    found = [compare(a, b, pairs, TEST_IMAGES) for pairs in (1, 10, 100)]
    assert found[0].points == pytest.approx(2.5)
    assert found[0].low > found[1].low > found[2].low
    assert found[2].is_chance
    assert not found[0].is_chance


def test_a_hybrid_that_wins_is_recommended_with_points_and_price() -> None:
    hybrid = row(Family.HYBRID, 900, name="forest on the embedding", fit_seconds=100.0, predict_us=200.0)
    found = verdict(hybrid, row(Family.HOG, 850, name="SVM on HOG"), row(Family.PIXELS, 800))
    assert "With 100 images, use forest on the embedding: 90.0 %, 88.0 to 91.8 of the test images are right" in found
    assert "It is shown, with 95% confidence, that nothing else is better by more than 1 point." in found
    assert "the hybrid wins by 5.0 points (+" in found
    assert "; the hybrid costs 10 times the time to fit, 2.0 times the time an image" in found


def test_of_what_is_as_good_the_simplest_is_recommended_and_the_best_is_named() -> None:
    found = verdict(row(Family.HYBRID, 900, name="hybrid"), row(Family.PIXELS, 899, name="plain pixels"))
    assert "use plain pixels: 89.9 %, 87.9 to 91.7 of the test images are right" in found
    assert "nothing else is better by more than 1 point, the highest figure, hybrid with 90.0 %, included" in found
    assert "wins" not in found


def test_what_cannot_be_told_is_said_with_models_and_what_would_be_enough() -> None:
    rows = row(Family.HYBRID, 900, name="hybrid"), row(Family.PIXELS, 899, first_wrong=500, name="plain pixels")
    found = verdict(*rows, row(Family.HOG, 700, name="bad"), margin=2.0)
    assert (
        "cannot tell which to use. Of plain pixels (89.9 %, 87.9 to 91.7), hybrid (90.0 %, 88.0 to 91.8) none" in found
    )
    assert "shown by 1,000 test images, with 95% confidence, to be worse than the others by 2 points at most" in found
    assert re.search(r"About [1-9],\d00 would be enough, if the figures stay as they are", found)
    assert "use plain" not in found


def test_what_was_interrupted_has_no_verdict() -> None:
    found = plain(interrupted([row(Family.PIXELS, 812, name="SVM on pixels")], 38))
    assert found == (
        "Interrupted: 1 of 38 rows were measured, so there is no verdict.\n"
        "100 images: SVM on pixels, 81.2 % of the test images right."
    )


def test_classical_learning_may_win() -> None:
    found = verdict(row(Family.HYBRID, 700), row(Family.HOG, 800, name="SVM on HOG"))
    assert "classical learning wins by 10.0 points" in found
    assert "use SVM on HOG" in found


def test_a_network_as_accurate_as_the_hybrid_is_told_what_it_cannot_do() -> None:
    found = verdict(row(Family.HYBRID, 900), row(Family.NETWORK, 901, first_wrong=500), row(Family.PIXELS, 700))
    assert "The network alone is as accurate within chance (90.1 %; log loss 0.500, the hybrid's 0.500)" in found
    assert "it cannot take columns, and shows no neighbours" in found


def test_what_columns_add_is_told_against_image_and_columns_alone() -> None:
    found = verdict(row(Family.HYBRID_COLUMNS, 950), row(Family.HYBRID, 900), row(Family.COLUMNS, 949, first_wrong=500))
    assert "against the image alone (95.0 % and 90.0 %): +5.0 points (+" in found
    assert "against the columns alone (95.0 % and 94.9 %): no more than chance (-" in found


def test_a_fitted_network_is_told_against_a_frozen_one() -> None:
    found = verdict(row(Family.HYBRID, 950), row(Family.PRETRAINED, 900))
    assert "against a frozen pretrained one, which was given no larger ones (95.0 % and 90.0 %): +5.0 points" in found


def test_each_size_has_a_sentence_and_the_largest_one_the_recommendation() -> None:
    rows = [row(family, right, size=size) for size, right in ((100, 700), (1000, 800)) for family in Family]
    _, sentences = conclude("clothes", rows, TEST_IMAGES, 1.0)
    assert sentences[0].startswith("With 1,000 images, use ")
    assert sentences[1].startswith("With 100 images: ")
    assert sentences[2].startswith("With 1,000 images: ")


def test_whether_other_seeds_were_tried_is_told() -> None:
    one, other = row(Family.HYBRID, 900), row(Family.HYBRID, 910)
    assert "how much another seed changes is not in these figures" in verdict(one)
    twice = one.and_another(other, TEST_IMAGES)
    assert twice.accuracy == pytest.approx(0.905)
    assert "1 of 1 models were fitted with up to 2 seeds, and the noise is included" in verdict(twice)


def test_published_figures_are_compared_where_as_many_images_were_used() -> None:
    rows = row(Family.HYBRID, 940, size=60_000), row(Family.PIXELS, 890, size=60_000)
    found = verdict(*rows, data="fashion-mnist")
    assert "HOG and SVM 92.6% (+1.4 points, which may be chance)" in found
    assert "XGBoost on pixels 89.8% (+4.2 points)" in found
    assert "GRU and SVM 88.8% (+5.2 points)" in found
    assert "published" not in verdict(*rows, data="clothes")
    assert "published" not in verdict(row(Family.HYBRID, 940), row(Family.PIXELS, 890), data="fashion-mnist")


def test_one_kind_alone_is_not_called_better_than_anything() -> None:
    found = verdict(row(Family.PIXELS, 900))
    assert "Of a model on pixels alone something was measured (90.0 %, 88.0 to 91.8): there is nothing" in found
    assert "use " not in found
    assert "no hybrid was measured" in found
    assert "The test set has 1,000 images: 90.0 %, 88.0 to 91.8 is what they tell" in found


def test_a_size_of_which_only_one_row_was_measured_decides_nothing() -> None:
    small = row(Family.HYBRID, 900), row(Family.PIXELS, 700)
    found = verdict(*small, row(Family.PIXELS, 950, size=1000))
    assert found.startswith("With 100 images, use a model on hybrid")


def test_without_rows_nothing_is_said() -> None:
    assert verdict() == "Nothing was measured, so nothing can be said."
