"""`models.bundle.head_spec`: columns checked against their head."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from models.bundle.head_spec import HeadSpec
from models.columns import Column, ColumnValue
from models.errors import BadColumns
from models.policy import Policy
from tests.tiny_bundle import COLUMNS


@pytest.fixture
def head() -> HeadSpec:
    return HeadSpec(name="priced", kind="test", classes=("a", "b"), columns=COLUMNS)


@pytest.mark.parametrize(
    ("columns", "checked"),
    [
        pytest.param(
            {"shift": 1.5, "force": "a", "invert": True},
            {"shift": 1.5, "force": "a", "invert": True},
            id="all of them",
        ),
        pytest.param({"shift": 1.5}, {"shift": 1.5, "force": None, "invert": None}, id="optional ones left out"),
        pytest.param(
            {"invert": None, "force": None, "shift": 0},
            {"shift": 0.0, "force": None, "invert": None},
            id="optional ones null, in any order, an integer as number",
        ),
        pytest.param({"shift": -1.7e308}, {"shift": -1.7e308, "force": None, "invert": None}, id="a large number"),
        pytest.param(
            {"shift": 1, "force": ""}, {"shift": 1.0, "force": "", "invert": None}, id="an empty or unknown category"
        ),
    ],
)
def test_columns_come_back_complete_and_in_order(
    head: HeadSpec, columns: dict[str, Any], checked: dict[str, ColumnValue]
) -> None:
    result = head.check_columns(columns)
    assert list(result.items()) == list(checked.items())
    assert isinstance(result["shift"], float)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        pytest.param({}, "required column 'shift' of head 'priced' is missing", id="required, missing"),
        pytest.param({"shift": None}, "required column 'shift'", id="required, null"),
        pytest.param({"shift": "1"}, "column 'shift' is a number; got '1'", id="text as number"),
        pytest.param({"shift": True}, "column 'shift' is a number; got True", id="boolean as number"),
        pytest.param({"shift": [1]}, "column 'shift' is a number", id="list as number"),
        pytest.param({"shift": {}}, "column 'shift' is a number", id="object as number"),
        pytest.param({"shift": math.nan}, "finite number", id="NaN"),
        pytest.param({"shift": math.inf}, "finite number", id="infinity"),
        pytest.param({"shift": -math.inf}, "finite number", id="minus infinity"),
        pytest.param({"shift": 10**400}, "finite number .* got an integer of 401 digits", id="more than a float holds"),
        pytest.param({"shift": 1, "force": 3}, "column 'force' is a category; got 3", id="number as category"),
        pytest.param({"shift": 1, "force": "\ud800"}, "column 'force' is not valid text", id="half a surrogate pair"),
        pytest.param({"shift": 1, "invert": 1}, "column 'invert' is a boolean; got 1", id="number as boolean"),
        pytest.param({"shift": 1, "invert": "true"}, "column 'invert' is a boolean", id="text as boolean"),
    ],
)
def test_wrong_columns_are_refused_by_name(head: HeadSpec, columns: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadColumns, match=reason):
        head.check_columns(columns)


def test_a_policy_cannot_look_at_columns_that_are_not_there() -> None:
    for policy in (Policy(range_columns=("size",)), Policy(expected_columns=("size",))):
        with pytest.raises(ValidationError, match=r"looks at columns that are not there: \['size'\]"):
            HeadSpec(name="x", kind="x", classes=("a", "b"), columns=COLUMNS, policy=policy)


def test_a_head_knows_which_columns_are_missing_or_out_of_range() -> None:
    columns = (
        Column(name="size", type="number", required=False, low=1.0, high=2.0),
        Column(name="made", type="date", required=False, low=0.0, high=9.0),
        Column(name="free", type="number", required=False, low=0.0, high=1.0),
    )
    policy = Policy(expected_columns=("made",), range_columns=("size", "made"))
    head = HeadSpec(name="x", kind="x", classes=("a", "b"), columns=columns, policy=policy)
    assert head.outside({"size": 2.5, "made": None, "free": 99.0}) == ["size"]
    assert head.missing({"size": 2.5, "made": None, "free": 99.0}) == ["made"]
    assert head.outside({"size": 2.0, "made": -0.5, "free": None}) == ["made"]
    lax = head.model_copy(update={"policy": Policy()})
    assert lax.outside({"size": 2.5, "made": 10.0, "free": 99.0}) == []


def test_a_stored_date_is_its_days() -> None:
    head = HeadSpec(name="x", kind="x", classes=("a", "b"), columns=(Column(name="made", type="date"),))
    assert head.check_columns({"made": "1970-01-02"}) == head.stored.check_columns({"made": 1}) == {"made": 1.0}
