"""How many users are active, and when."""

import pytest

from loadtests.scenarios.load_shapes import SHAPES, users_at


def users(shape: str, *moments_s: float) -> list[int | None]:
    return [users_at(moment_s, SHAPES[shape], peak_users=40, duration_s=100) for moment_s in moments_s]


def test_steps_climb_to_the_peak_in_four_equal_steps() -> None:
    assert users("steps", 0, 24.9, 25, 50, 75, 99.9) == [10, 10, 20, 30, 40, 40]


def test_a_spike_takes_the_middle_fifth() -> None:
    assert users("spike", 0, 39.9, 40, 59.9, 60, 99.9) == [4, 4, 40, 40, 4, 4]


def test_a_soak_climbs_for_a_tenth_and_then_holds_the_peak() -> None:
    assert users("soak", 0, 4.5, 9.5, 50, 99.9) == [4, 20, 40, 40, 40]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_ends_in_time(shape: str) -> None:
    assert users(shape, 100, 101) == [None, None]


@pytest.mark.parametrize("shape", SHAPES)
def test_no_shape_goes_below_one_user(shape: str) -> None:
    assert users_at(0, SHAPES[shape], peak_users=1, duration_s=10) == 1
