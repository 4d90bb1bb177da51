"""`training.policy.policies`: what is accepted for a target or for costs, and which columns are expected."""

from __future__ import annotations

import numpy as np
import pytest

from models.columns import Column, ColumnType
from models.policy import NEVER, Policy, as_served
from training.exceptions import DataError
from training.policy.costs import Costs
from training.policy.policies import HeldOut, PolicyTargets, choose_policy, expected_columns, range_columns
from training.policy.promise import Promise

CLASSES = ("bag", "shoe")


def held(count: int, seed: int = 0, classes: int = 2, power: float = 4) -> HeldOut:
    """Answers that are right as often as they say, most of them very sure; every tenth is unfamiliar."""
    random = np.random.default_rng(seed)
    confidence = 1 - (1 - 1 / classes) * random.random(count) ** power
    given = random.integers(0, classes, count)
    wrong = (given + random.integers(1, classes, count)) % classes
    found = np.repeat((1 - confidence)[:, None] / (classes - 1), classes, axis=1)
    found[np.arange(count), given] = confidence
    labels = np.where(random.random(count) < confidence, given, wrong)
    return HeldOut(
        found.astype(np.float32), labels, random.random(count) > 0.1, CLASSES if classes == 2 else tuple("abcd")
    )


def choose(given: HeldOut, targets: PolicyTargets) -> tuple[Policy, Promise]:
    policy, promise = choose_policy(given, targets, max_distance=7.0)
    assert promise is not None
    return policy, promise


def accepted(policy: Policy, given: HeldOut) -> np.ndarray:
    """Row by row, as the service decides."""
    return np.array(
        [
            is_familiar
            and policy.decide(
                row.max(), given.classes[row.argmax()], probabilities=dict(zip(given.classes, row, strict=True))
            )[0]
            == "accept"
            for row, is_familiar in zip(as_served(given.answers), given.can_accept, strict=True)
        ]
    )


def takes_of(policy: Policy, given: HeldOut) -> np.ndarray:
    """The same for many rows at once."""
    served, answer = as_served(given.answers), given.answers.argmax(1)
    least = np.array([policy.min_confidence_of.get(name, policy.min_confidence) for name in given.classes])
    takes = given.can_accept & (served.max(1) >= least[answer])
    for name, review_from in policy.review_from.items():
        position = given.classes.index(name)
        takes &= (answer == position) | (served[:, position] < review_from)
    return takes


def hits(given: HeldOut) -> np.ndarray:
    return given.answers.argmax(1) == given.labels


@pytest.mark.parametrize("count", [100, 300, 1000, 3000])
def test_the_target_is_kept_on_unseen_rows(count: int) -> None:
    unseen, draws = held(50_000, seed=1000), 100
    right, kept, coverage = hits(unseen), 0, 0.0
    for seed in range(draws):
        takes = takes_of(choose(held(count, seed), PolicyTargets(target_precision=0.95))[0], unseen)
        kept += not takes.any() or right[takes].mean() >= 0.95
        coverage += takes.mean() / draws
    print(f"{count} rows: kept in {kept / draws:.3f} of {draws} draws, accepted {coverage:.3f}")
    assert kept / draws >= 0.93
    assert coverage >= {100: 0.15, 300: 0.4, 1000: 0.55, 3000: 0.55}[count]


def test_a_policy_accepts_just_the_rows_that_it_promises_for() -> None:
    given = held(2000)
    policy, promise = choose(given, PolicyTargets(target_precision=0.95))
    assert accepted(policy, given).mean() == takes_of(policy, given).mean() == promise.coverage > 0.5
    assert (policy.max_distance, policy.min_confidence_of, policy.review_from) == (7.0, {}, {})
    assert promise.as_metrics() == {"target": 0.95, "confidence": 0.95, "judged_on": 2000, "shown": True}


def test_more_confidence_accepts_less() -> None:
    coverage = [choose(held(1000), PolicyTargets(0.95, confidence))[1].coverage for confidence in (0.5, 0.95, 0.999)]
    assert coverage == sorted(coverage, reverse=True)
    assert coverage[0] > coverage[1] > 0


def test_a_target_out_of_reach_accepts_nothing_and_says_what_would_do() -> None:
    given = held(46, power=12)
    policy, promise = choose(given, PolicyTargets())
    assert policy.min_confidence == NEVER
    assert not accepted(policy, given).any()
    assert not promise.shown
    assert promise.enough is not None
    assert promise.enough >= 299
    assert promise.instead is not None
    target, coverage = promise.instead
    assert coverage == choose(given, PolicyTargets(target_precision=target))[1].coverage > 0


def test_full_confidence_is_not_accepted_where_it_is_often_wrong() -> None:
    confidence = np.concatenate([np.ones(90), np.linspace(0.9, 0.5, 910)])
    found = np.stack([confidence, 1 - confidence], axis=1).astype(np.float32)
    labels = np.zeros(1000, np.int64)
    labels[74:] = 1  # 0.82 of the first 90 are right
    policy, promise = choose(HeldOut(found, labels, np.ones(1000, bool), CLASSES), PolicyTargets())
    assert policy.decide(1.0, "bag") == ("review", ["low_confidence"])
    assert promise.enough is None
    assert "it takes a better head, and at least 299 accepted ones without a mistake" in promise.sentence


def test_nothing_held_out_promises_nothing() -> None:
    nothing = HeldOut(np.empty((0, 2), np.float32), np.empty(0, np.int64), np.empty(0, bool), CLASSES)
    policy, promise = choose(nothing, PolicyTargets())
    assert (policy.min_confidence, promise.shown, promise.instead) == (NEVER, False, None)


def test_classes_with_the_rows_have_thresholds_of_their_own() -> None:
    given = held(20_000)
    policy, promise = choose(given, PolicyTargets(target_precision=0.9))
    assert policy.min_confidence_of.keys() == set(promise.alone) == set(CLASSES)
    takes = accepted(policy, given)
    for position in range(2):
        assert hits(given)[takes & (given.answers.argmax(1) == position)].mean() >= 0.9
    assert takes.mean() == promise.coverage > 0.6


def test_a_number_needs_no_confidence() -> None:
    given = HeldOut(np.zeros((100, 1), np.float32), np.zeros(100), np.ones(100, bool))
    policy, promise = choose_policy(given, PolicyTargets(), max_distance=0.98, expected=("size",), ranged=("age",))
    assert policy == Policy(max_distance=0.98, expected_columns=("size",), range_columns=("age",))
    assert promise is None


@pytest.mark.parametrize("count", [300, 3000])
def test_accepting_costs_no_more_than_reviewing(count: int) -> None:
    costs = Costs(review=1, error=10, errors={"a": {"b": 20}, "b": {"c": 2}})
    unseen, draws = held(50_000, seed=1000, classes=4), 60
    lost = costs.table(unseen.classes)[unseen.labels, unseen.answers.argmax(1)]
    kept, saved, coverage = 0, 0.0, 0.0
    for seed in range(draws):
        takes = takes_of(choose(held(count, seed, classes=4), PolicyTargets(costs=costs))[0], unseen)
        kept += not takes.any() or lost[takes].mean() <= costs.review
        saved += (costs.review - lost)[takes].sum() / len(lost) / draws
        coverage += takes.mean() / draws
    print(f"{count} rows: kept in {kept / draws:.3f} of {draws}, accepted {coverage:.3f}, saved {saved:.3f} a row")
    assert kept / draws >= 0.93
    assert coverage >= 0.3
    assert saved >= 0.2


def test_costs_choose_the_cheapest_confidence() -> None:
    policy, promise = choose(held(20_000), PolicyTargets(costs=Costs(review=1, error=10)))
    for label in CLASSES:  # a mistake of 10 in one of ten costs what a review does
        assert policy.min_confidence_of[label] == pytest.approx(0.9, abs=0.04)
    assert (promise.target, promise.of_costs) == (1, True)


def test_a_mistake_that_costs_no_more_than_a_review_is_accepted() -> None:
    policy, promise = choose(held(1000), PolicyTargets(costs=Costs(review=2, error=1)))
    assert max(policy.min_confidence_of.values()) < 0.6
    assert promise.coverage > 0.8


def test_few_images_of_a_class_that_is_not_to_be_missed_accept_nothing_else() -> None:
    given = held(1000)
    given.labels[:] = given.answers.argmax(1)
    given.labels[np.flatnonzero(given.labels == 1)[10:]] = 0
    policy, promise = choose(given, PolicyTargets(target_precision=0.5, max_missed={"shoe": 0.05}))
    assert policy.review_from == {"shoe": 0.0}
    assert set(given.answers.argmax(1)[accepted(policy, given)]) <= {1}
    assert promise.missed[0].enough == 59
    assert "nothing is accepted as anything but 'shoe'" in promise.sentence


def test_what_is_not_to_be_missed_is_kept_beside_the_target() -> None:
    unseen, draws, targets = held(40_000, seed=1000, classes=4), 60, PolicyTargets(0.95, max_missed={"b": 0.03})
    right, truly = hits(unseen), unseen.labels == 1
    precise, found, coverage = 0, 0, 0.0
    for seed in range(draws):
        takes = takes_of(choose(held(2000, seed, classes=4), targets)[0], unseen)
        precise += right[takes].mean() >= 0.95
        found += (takes & ~right)[truly].mean() <= 0.03
        coverage += takes.mean() / draws
    print(
        f"of {draws} draws precise in {precise / draws:.3f}, not missed in {found / draws:.3f}, accepted {coverage:.3f}"
    )
    assert min(precise, found) / draws >= 0.93
    assert coverage >= 0.4


def test_a_class_that_is_not_there_is_told() -> None:
    with pytest.raises(DataError, match="'boot', which is none of the labels bag, shoe"):
        choose(held(100), PolicyTargets(max_missed={"boot": 0.05}))


def test_the_manifest_tells_what_was_aimed_at() -> None:
    assert PolicyTargets().as_settings() == {"target precision": 0.99, "confidence": 0.95, "false alarms": 0.02}
    assert PolicyTargets(max_missed={"shoe": 0.1}).as_settings()["max missed"] == {"shoe": 0.1}
    assert PolicyTargets(extrapolate=True).as_settings()["extrapolate"] is True
    assert "target precision" not in PolicyTargets(costs=Costs(review=1, error=2)).as_settings()


def test_optional_columns_that_training_hardly_lacks_are_expected() -> None:
    columns = [Column(name=name, type="number", required=name == "a") for name in "abc"]
    rows = [{"a": 1.0, "b": None if row < 4 else 1.0, "c": None if row < 40 else 1.0} for row in range(100)]
    assert expected_columns(columns, rows) == ("b",)


def test_numbers_and_dates_have_a_range() -> None:
    types: tuple[ColumnType, ...] = ("number", "category", "boolean", "date")
    assert range_columns([Column(name=type_, type=type_) for type_ in types]) == ("number", "date")
