"""What decoding costs after, as a share of before."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.decode_cost import IMAGES, ROOT, Cost, compare, encode, worker


def test_a_few_disturbed_rounds_change_no_ratio() -> None:
    cost = Cost(before=[1e-5] * 90 + [1.0] * 10, after=[2e-5] * 80 + [3.0] * 20)
    assert cost.ratio == pytest.approx(2)
    assert cost.describe() == "2.000 x 10.0 us (median of 100 rounds 2.000 x)"


@pytest.mark.parametrize("name", IMAGES)
def test_a_worker_says_what_decoding_an_image_costs(name: str) -> None:
    assert encode(name) == encode(name)
    with worker(ROOT, name) as run:
        assert 0 < run(2) < run(200)


def test_the_same_tree_twice_is_compared_round_by_round() -> None:
    cost = compare((ROOT, ROOT), "28x28 JPEG", 20)
    assert (len(cost.before), len(cost.after)) == (20, 20)
    assert 0.2 < cost.ratio < 5


def test_a_tree_without_the_modules_is_refused_rather_than_measured_elsewhere(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with worker(tmp_path, "28x28 PNG") as run, pytest.raises(ValueError, match="could not convert"):
        run(1)
    assert "Error" in capfd.readouterr().err
