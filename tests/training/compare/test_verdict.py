"""The verdict's rules, each by rows made for it."""

from __future__ import annotations

import pytest

from tests.training.compare.rows import TEST_IMAGES, row
from training.compare.rows import Family, Row
from training.compare.verdict import compare, judge, recommended


def verdict(*rows: Row, data: str = "clothes") -> str:
    return "\n".join(judge(data, rows, TEST_IMAGES)).replace("\N{NO-BREAK SPACE}", " ")


def best_first(*rows: Row) -> list[Row]:
    return sorted(rows, key=lambda each: -each.accuracy)


def test_a_difference_is_in_points_and_its_chance_by_the_images_that_differ() -> None:
    better, worse = row(Family.HYBRID, 900), row(Family.PIXELS, 850)
    difference = compare(better, worse, 1, TEST_IMAGES)
    assert difference.points == pytest.approx(5)
    error = 100 * (0.05 * 0.95 / TEST_IMAGES) ** 0.5  # 50 images, all of them in favour of one
    assert difference.chance == pytest.approx(1.96 * error, rel=1e-3)
    assert not difference.is_chance


def test_the_same_accuracies_on_other_images_can_be_chance() -> None:
    """900 and 885 right: 15 images of a difference, in which 15 or 215 images are at odds."""
    better = row(Family.HYBRID, 900)
    assert not compare(better, row(Family.PIXELS, 885), 1, TEST_IMAGES).is_chance
    assert compare(better, row(Family.PIXELS, 885, first_wrong=500), 1, TEST_IMAGES).is_chance


def test_the_more_pairs_there_were_to_pick_from_the_more_is_chance() -> None:
    a, b = row(Family.HYBRID, 900), row(Family.PIXELS, 875, first_wrong=60)
    chances = [compare(a, b, pairs, TEST_IMAGES).chance for pairs in (1, 10, 100)]
    assert chances == sorted(chances)
    assert chances[0] < compare(a, b, 1, TEST_IMAGES).points < chances[2]


def test_equal_answers_are_chance() -> None:
    assert compare(row(Family.HYBRID, 900), row(Family.PIXELS, 900), 1, TEST_IMAGES).is_chance


def test_a_hybrid_that_wins_is_recommended_with_points_and_price() -> None:
    hybrid = row(Family.HYBRID, 900, name="forest on the embedding", fit_seconds=100.0, predict_us=200.0)
    found = verdict(hybrid, row(Family.HOG, 850, name="SVM on HOG"), row(Family.PIXELS, 800))
    assert "With 100 images, use forest on the embedding: 90.0 % of the test images are right" in found
    assert "It beats everything of another kind by 5.0 points" in found
    assert (
        "the hybrid wins by 5.0 points; the hybrid costs 10 times the time to fit, 2.0 times the time an image" in found
    )


def test_of_what_is_as_good_the_simplest_is_recommended() -> None:
    rows = (row(Family.HYBRID, 900, name="hybrid"), row(Family.PIXELS, 899, first_wrong=500, name="plain pixels"))
    assert recommended(rows, TEST_IMAGES).name == "plain pixels"
    found = verdict(*rows)
    assert "use plain pixels" in found
    assert "The highest figure, hybrid with 90.0 %, is not better than that by more than chance" in found
    assert "the difference is within chance" in found
    assert "wins" not in found


@pytest.mark.parametrize(
    ("simple", "costly"),
    [
        (Family.COLUMNS, Family.PIXELS),
        (Family.PIXELS, Family.HOG),
        (Family.HOG, Family.HYBRID),
        (Family.HYBRID, Family.HYBRID_COLUMNS),
        (Family.HYBRID, Family.NETWORK),
        (Family.HYBRID_COLUMNS, Family.NETWORK),
    ],
)
def test_families_are_simpler_or_less_so(simple: Family, costly: Family) -> None:
    rows = best_first(row(costly, 900), row(simple, 899, first_wrong=500))
    assert recommended(rows, TEST_IMAGES).family == simple


def test_a_costly_family_that_is_better_is_recommended_all_the_same() -> None:
    rows = best_first(row(Family.NETWORK, 950), row(Family.HYBRID, 850), row(Family.PIXELS, 700))
    assert recommended(rows, TEST_IMAGES).family == Family.NETWORK
    assert "10.0 points more accurate than the hybrid" in verdict(*rows)


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
    assert "against the image alone (95.0 % and 90.0 %): +5.0 points" in found
    assert "against the columns alone (95.0 % and 94.9 %): no more than chance" in found


def test_each_size_has_a_sentence_and_the_largest_one_the_recommendation() -> None:
    rows = [row(family, right, size=size) for size, right in ((100, 700), (1000, 800)) for family in Family]
    sentences = judge("clothes", rows, TEST_IMAGES)
    assert sentences[0].startswith("With 1,000 images, use ")
    assert sentences[1].startswith("With 100 images: ")
    assert sentences[2].startswith("With 1,000 images: ")


def test_how_much_is_chance_is_told() -> None:
    rows = row(Family.HYBRID, 900), row(Family.PIXELS, 850, first_wrong=500)
    chance = compare(*rows, 1, TEST_IMAGES).chance
    expected = f"The test set has 1,000 images: between the best of two kinds, differences below {chance:.1f} points"
    assert expected in verdict(*rows)


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
    assert "There was nothing of another kind to compare it with." in found
    assert "no hybrid was measured" in found
    assert "the standard error of an accuracy is 0.9 points" in found


def test_without_rows_nothing_is_said() -> None:
    assert verdict() == "Nothing was measured, so nothing can be said."
