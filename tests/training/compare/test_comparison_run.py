"""What is started, in which order, and what is left out, by a clock that only the rows move."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.training.compare.made_rows import TEST_IMAGES, row
from tests.training.compare.test_budget import Clock
from training.compare.budget import Budget, Cost
from training.compare.compared_models import ComparedModel, compared_models
from training.compare.comparison_run import INTERRUPTED, SEEDS, ComparisonRun, Findings
from training.compare.network_trainer import Trained
from training.compare.report.comparison_rows import Family, Network, Row
from training.compare.report.nested_samples import Sample
from training.compare.time_limit import Ended
from training.data.split import Split
from training.exceptions import DataError, ExportError
from training.heads.labelled_embeddings import LabelledEmbeddings

ENTERED = compared_models(has_columns=False)
NETWORKED = {each.name for each in ENTERED if each.needs_network}
SIZES = (100, 1000, 10_000)


class Measures:
    """Rows that take as long as they are told."""

    def __init__(self, clock: Clock, *, seconds_per_1000: float = 0.0) -> None:
        self.clock = clock
        self.seconds_per_1000 = seconds_per_1000
        self.trained: dict[int, float] = {}
        self.piloted: list[str] = []
        self.refused_network = ""
        self.longest = math.inf  # seconds that a network takes
        self.fails: dict[str, BaseException] = {}
        self.unable: dict[str, Exception] = {}
        self.hangs: set[str] = set()
        self.turns: list[tuple[str, int]] = []

    def train(self, sample: Sample, seconds: float, *, limit: float, turn: int = 0) -> Trained | str:
        if self.refused_network:
            return self.refused_network
        if seconds <= 0:
            return "no time"
        if turn == 0:
            self.trained[sample.size] = seconds
        seconds = min(seconds, limit, self.longest)
        self.clock.now += seconds
        none = LabelledEmbeddings(np.empty((0, 1), np.float32), np.empty(0, np.int64))
        note = Network(size=sample.size, images=len(sample.parts.train), epochs=1, planned=1, seconds=seconds)
        return Trained(note, b"", np.empty((1, 2), np.float32), np.empty(2, np.float32), none, none, none, 0.0)

    def preparation(self, sample: Sample, model: ComparedModel, *, limit: float) -> float:
        if failure := self.unable.get(model.name):
            raise failure
        return 0.0

    def pilot(self, sample: Sample, model: ComparedModel, *, limit: float) -> Cost:
        self.piloted.append(model.name)
        return Cost(500, self.seconds_per_1000 / 2, 0.0)

    def measure(self, sample: Sample, model: ComparedModel, *, limit: float, turn: int = 0) -> tuple[Row, Cost]:
        self.turns.append((model.name, turn))
        if model.name in self.hangs:
            self.clock.now += limit
            raise Ended(f"ended after {limit:.0f} s, the budget was spent")
        if failure := self.fails.get(model.name):
            raise failure
        rows = len(sample.parts.train)
        fit = 1.0 if model.family == Family.NETWORK else self.seconds_per_1000 * rows / 1000
        self.clock.now += fit
        return row(model.family, 800, name=model.name, size=sample.size), Cost(rows, fit, 0.0)


def sample(size: int) -> Sample:
    positions = np.arange(size)
    return Sample(size, Split(positions[size // 10 :], positions[: size // 10], np.arange(size, size + TEST_IMAGES)))


def held(measures: Measures, minutes: float, sizes: tuple[int, ...] = SIZES) -> Findings:
    return ComparisonRun(
        measures, [sample(size) for size in sizes], ENTERED, Budget(60 * minutes, measures.clock)
    ).run()


def test_with_time_enough_every_row_is_measured_small_sizes_first() -> None:
    measures = Measures(Clock())
    found = held(measures, 15)
    assert [(each.size, each.name) for each in found.rows] == [(size, each.name) for size in SIZES for each in ENTERED]
    assert not found.left_out
    assert [network.size for network in found.networks] == list(SIZES)


def test_the_largest_network_gets_what_is_left() -> None:
    measures = Measures(Clock())
    held(measures, 15)
    assert measures.trained[100] < measures.trained[1000] < measures.trained[10_000]
    assert measures.trained[10_000] > 900 / 2
    assert sum(measures.trained.values()) <= 900


def test_what_would_not_fit_is_left_out_with_the_reason_and_nothing_is_lost() -> None:
    measures = Measures(Clock(), seconds_per_1000=8)
    found = held(measures, 15)
    assert len(found.rows) + len(found.left_out) == len(SIZES) * len(ENTERED)
    assert {each.size for each in found.left_out} == {10_000}
    assert all("budget" in each.reason for each in found.left_out)
    assert any(each.reason.startswith("expected to take up to ") for each in found.left_out)


@pytest.mark.parametrize("seconds_per_1000", [0.5, 2, 8, 30])
@pytest.mark.parametrize("minutes", [1, 5, 15])
def test_the_budget_is_kept(minutes: float, seconds_per_1000: float) -> None:
    """But for one row that turned out slower than expected."""
    measures = Measures(Clock(), seconds_per_1000=seconds_per_1000)
    budget = Budget(60 * minutes, measures.clock)
    ComparisonRun(measures, [sample(size) for size in SIZES], ENTERED, budget).run()
    assert budget.spent() <= 1.2 * 60 * minutes


def test_of_many_images_a_pilot_tells_the_cost_before_anything_is_started() -> None:
    measures = Measures(Clock(), seconds_per_1000=1000)
    found = held(measures, 1, (10_000,))
    assert not {each.name for each in found.rows} - NETWORKED
    assert measures.piloted[0] == ENTERED[0].name
    assert len(measures.piloted) == len(set(measures.piloted))


def test_without_a_network_its_rows_are_left_out_and_the_others_are_not() -> None:
    measures = Measures(Clock())
    measures.refused_network = "one epoch takes 99 s"
    found = held(measures, 15, (100,))
    assert {each.name for each in found.left_out} == NETWORKED
    assert all("one epoch takes 99 s" in each.reason for each in found.left_out)
    assert {each.name for each in found.rows} == {each.name for each in ENTERED} - NETWORKED


def test_a_model_that_cannot_be_exported_is_left_out() -> None:
    measures = Measures(Clock())
    measures.fails[ENTERED[0].name] = ExportError("it computes something else")
    found = held(measures, 15, (100,))
    assert [(each.name, each.reason) for each in found.left_out] == [(ENTERED[0].name, "it computes something else")]


def test_ctrl_c_keeps_what_there_is_and_lists_the_rest() -> None:
    measures = Measures(Clock())
    measures.fails[ENTERED[3].name] = KeyboardInterrupt()
    found = held(measures, 15, (100, 1000))
    assert found.interrupted
    assert [each.name for each in found.rows] == [each.name for each in ENTERED[:3]]
    assert len(found.left_out) == 2 * len(ENTERED) - 3
    assert {each.reason for each in found.left_out} == {INTERRUPTED}


def test_a_fit_that_is_ended_is_left_out_and_the_rest_of_the_budget_is_kept_for_the_networks() -> None:
    measures = Measures(Clock())
    slow = ENTERED[0].name
    measures.hangs = {slow}
    budget = Budget(600, measures.clock)
    found = ComparisonRun(measures, [sample(size) for size in SIZES], ENTERED, budget).run()
    assert budget.spent() <= 600
    reasons = [each.reason for each in found.left_out if each.name == slow]
    assert len(reasons) == len(SIZES)
    assert reasons[0].startswith("ended after ")
    assert reasons[0].endswith(" s, the budget was spent")
    assert any(row.family == Family.NETWORK for row in found.rows)


def test_what_is_not_installed_is_left_out_with_the_reason() -> None:
    measures = Measures(Clock())
    frozen = [each.name for each in ENTERED if each.family == Family.PRETRAINED]
    measures.unable = {name: DataError("the pretrained network is not installed") for name in frozen}
    found = held(measures, 15, (100, 10_000))
    assert [each.name for each in found.left_out] == 2 * frozen
    assert {each.reason for each in found.left_out} == {"the pretrained network is not installed"}


def test_time_that_is_left_goes_into_more_seeds_of_the_largest_size() -> None:
    measures = Measures(Clock())
    measures.longest = 10
    found = held(measures, 15, (100, 1000))
    assert {len(row.right) for row in found.rows if row.size == 100} == {1}
    assert {len(row.right) for row in found.rows if row.size == 1000} == {SEEDS}
    assert {turn for name, turn in measures.turns if name in NETWORKED} == {0, 1, 2}


def test_without_time_for_another_network_the_others_get_more_seeds() -> None:
    found = held(Measures(Clock()), 15, (100,))
    seeds = {row.name: len(row.right) for row in found.rows}
    assert {seeds[name] for name in NETWORKED} == {1}
    assert {count for name, count in seeds.items() if name not in NETWORKED} == {SEEDS}
