"""`models.pooling`: one row of all photos of an instance, and exactly the row of one photo if all are equal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.pooling import Pooling, PoolKind, pool_alone, pooled_width

ALL: tuple[PoolKind, ...] = ("mean", "max", "change")
PHOTOS = np.array([[1.0, 5.0], [3.0, 2.0], [2.0, 2.0]], np.float32)


@pytest.mark.parametrize(
    ("kind", "row"),
    [("mean", [2.0, 3.0]), ("max", [3.0, 5.0]), ("change", [1.0, -3.0])],
)
def test_each_kind_makes_a_row_as_wide_as_an_embedding(kind: PoolKind, row: list[float]) -> None:
    assert Pooling((kind,)).row(PHOTOS).tolist() == row


def test_kinds_stand_beside_each_other_in_their_order() -> None:
    assert Pooling(("max", "mean")).row(PHOTOS).tolist() == [3.0, 5.0, 2.0, 3.0]
    assert (pooled_width(2, ("max", "mean")), pooled_width(2, ())) == (4, 2)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.integers(1, 9), st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=20))
def test_equal_photos_give_exactly_the_row_of_one(count: int, numbers: list[float]) -> None:
    photo = np.array(numbers, np.float32)
    several = Pooling(ALL).row(np.tile(photo, (count, 1)))
    assert several.dtype == np.float32
    assert several.tobytes() == Pooling(ALL).row(photo[None]).tobytes()


def test_one_photo_has_no_change() -> None:
    assert Pooling(("change",)).row(PHOTOS[:1]).tolist() == [0.0, 0.0]


def test_without_pooling_an_instance_is_its_one_photo() -> None:
    assert Pooling().row(PHOTOS[:1]).tolist() == [1.0, 5.0]
    assert pool_alone(PHOTOS, ()) is PHOTOS
    with pytest.raises(ValueError, match="3 photos of one instance, but no pooling"):
        Pooling().row(PHOTOS)


def test_photos_of_several_instances_come_one_after_the_other() -> None:
    rows = Pooling(ALL).each(PHOTOS, [1, 2])
    assert rows.tolist() == [Pooling(ALL).row(PHOTOS[:1]).tolist(), Pooling(ALL).row(PHOTOS[1:]).tolist()]
    assert Pooling(ALL).each(PHOTOS[:0], []).shape == (0, 6)


def test_attention_is_a_mean_in_which_some_photos_weigh_more() -> None:
    pooling = Pooling(("attention",), lambda photos: np.log(np.array([1.0, 2.0, 1.0], np.float32)[: len(photos)]))
    assert pooling.row(PHOTOS).tolist() == pytest.approx([2.25, 2.75])
    assert pooling.row(PHOTOS[:1]).tolist() == PHOTOS[0].tolist()
    equal = np.tile(np.float32([0.1, 1 / 3]), (3, 1))
    assert pooling.row(equal).tobytes() == equal[0].tobytes()
    with pytest.raises(ValueError, match="nothing that weighs"):
        Pooling(("attention",)).row(PHOTOS)


def test_alone_each_photo_is_an_instance() -> None:
    assert pool_alone(PHOTOS, ALL).tolist() == Pooling(ALL).each(PHOTOS, [1, 1, 1]).tolist()
