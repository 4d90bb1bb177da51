"""`training.tuning.tuning_plan`."""

from __future__ import annotations

import pytest

from training.tuning.tuning_plan import BlockTimes, NotTunedError, choose_extent

TIMES = BlockTimes(0.015, 0.001, (0.002,) * 9, 0.001, (50_000,) * 9)


def test_with_much_time_two_thirds_of_the_blocks_are_tuned_and_with_less_fewer() -> None:
    cuts = [choose_extent("last", TIMES, 1000, minutes).cut for minutes in (60, 8, 5.1)]
    assert cuts[0] == 3
    assert cuts == sorted(cuts)
    assert cuts[1] > 3
    assert cuts[2] > cuts[1]


def test_fewer_epochs_only_where_not_even_the_last_block_can_have_more() -> None:
    extent = choose_extent("last", TIMES, 1000, 3)
    assert (extent.cut, extent.epochs < 10) == (8, True)


def test_low_rank_may_reach_further_to_the_front_and_all_keeps_no_activations() -> None:
    assert choose_extent("lora", TIMES, 1000, 600).cut == 1
    whole = choose_extent("all", TIMES, 1000, 600)
    assert (whole.cut, whole.variants) == (0, 1)


def test_activations_stay_within_the_memory() -> None:
    large = BlockTimes(0.015, 0.001, (0.002,) * 3, 0.001, (10**6, 10**5, 10**3))
    assert choose_extent("last", large, 10_000, 10_000).cut == 2


def test_too_little_time_is_said_with_how_much_it_takes() -> None:
    with pytest.raises(NotTunedError, match=r"its last block on 1,000 images takes about 2 minutes; .* allows 0.5"):
        choose_extent("last", TIMES, 1000, 0.5)
