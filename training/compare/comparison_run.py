"""samples, models and a budget ──▶ rows, and what was left out: a fit is started only if it is expected to end in time.

Small sizes come first, and within a size the models that say most. Half of the budget is set aside for the networks
from the start, most of it for the largest size. The network of the largest size also gets what is left when its turn
comes, except for what its heads and the models after them need. A fit that takes longer than its limit is ended. Time
that is left in the end is spent on more seeds of the models that may still be recommended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from training.compare.budget import LINEAR, SAFETY, Budget, Cost, expected_seconds, network_seconds
from training.compare.compared_models import NETWORK_NAME, ComparedModel
from training.compare.network_trainer import Trained
from training.compare.report.comparison_rows import LeftOut, Network, Row, by_merit
from training.compare.report.nested_samples import Sample
from training.compare.report.recommendation import DEFAULT_MARGIN, Ranking
from training.compare.time_limit import Ended
from training.exceptions import DataError, ExportError
from training.progress import progress

_RESERVED_SHARE = 0.7
"""Share of the time left, at most: estimates for large sizes are rough while only small sizes were measured."""
_LATER_SHARE = 0.12
"""Share of the time left, at most, that is kept for the models after the last network and its heads."""
INTERRUPTED = "interrupted"
_UNKNOWN_SECONDS = 1.0  # of a row on few images; on more images, a pilot fit measures it
_PILOT_FROM = 2000  # images
SEEDS = 3
"""The most seeds that a model is fitted with."""


class Measures(Protocol):
    """See `training.compare.model_measures`. Each method raises Ended if it takes more than `limit` seconds."""

    def train(self, sample: Sample, seconds: float, *, limit: float, turn: int = 0) -> Trained | str:
        """Fits the network of a size in `seconds`, or says why it cannot."""

    def preparation(self, sample: Sample, model: ComparedModel, *, limit: float) -> float:
        """Seconds that making a model's features will take."""

    def pilot(self, sample: Sample, model: ComparedModel, *, limit: float) -> Cost:
        """The cost of a classical model on a few images."""

    def measure(self, sample: Sample, model: ComparedModel, *, limit: float, turn: int = 0) -> tuple[Row, Cost]:
        """Measures a model: its row and its cost."""


@dataclass
class Findings:
    """What has been measured so far."""

    rows: list[Row] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    networks: list[Network] = field(default_factory=list)
    interrupted: bool = False


class ComparisonRun:
    """Measures models on samples until the budget is spent."""

    def __init__(
        self,
        measures: Measures,
        samples: Sequence[Sample],
        models: Sequence[ComparedModel],
        budget: Budget,
        margin: float = DEFAULT_MARGIN,
    ) -> None:
        self.measures = measures
        self.samples = samples
        self.models = models
        self.budget = budget
        self.margin = margin
        self.found = Findings()
        self._set_aside = network_seconds([sample.size for sample in samples], budget.left())
        self._costs: dict[str, list[Cost]] = {}
        self._overheads: list[Cost] = []
        self._no_network: dict[int, str] = {}
        self._unable: dict[str, str] = {}

    def run(self) -> Findings:
        """Measures what fits the budget; Ctrl-C ends the run with what there is."""
        tasks = [(sample, model) for sample in self.samples for model in self.models]
        done = 0
        try:
            for sample, model in progress(tasks, "comparing", "row"):
                self._compare_one(sample, model)
                done += 1
            self._repeat(self.samples[-1])
        except KeyboardInterrupt:
            self.found.interrupted = True
            for sample, model in tasks[done:]:
                self._leave_out(sample, model.name, INTERRUPTED)
        return self.found

    def _compare_one(self, sample: Sample, model: ComparedModel) -> None:
        if model.needs_network and sample.size in self._set_aside:
            self._train(sample)
        if reason := self._refusal(sample, model):
            self._leave_out(sample, model.name, reason)
            return
        started, limit = self.budget.spent(), self.budget.left() - self._reserved()
        try:
            row, cost = self.measures.measure(sample, model, limit=limit)
        except (DataError, ExportError, Ended) as error:
            self._leave_out(sample, model.name, str(error))
            if isinstance(error, Ended):  # more rows will take longer
                self._cost(model, Cost(len(sample.parts.train), self.budget.spent() - started, 0.0))
            return
        self.found.rows.append(row)
        self._cost(model, cost)

    def _cost(self, model: ComparedModel, cost: Cost) -> None:
        self._costs.setdefault(model.name, []).append(cost)

    def _train(self, sample: Sample) -> None:
        share = self._set_aside.pop(sample.size)
        after = self._expected_after(sample)
        left = self.budget.left() - sum(self._set_aside.values()) - SAFETY * after
        left = min(max(left, share / 2), self.budget.left())  # estimates cannot take all of its share
        seconds = left - self._reserved_for_later(sample) if sample is self.samples[-1] else min(share, left)
        try:
            trained = self.measures.train(sample, seconds, limit=self.budget.left())
        except (ExportError, Ended) as error:
            trained = str(error)
        if isinstance(trained, str):
            self._no_network[sample.size] = trained
            return
        self.found.networks.append(trained.note)
        self._overheads.append(Cost(sample.size, trained.overhead, 0.0))

    def _repeat(self, sample: Sample) -> None:
        """Fits the models of the largest size that may be recommended with more seeds, while there is time."""
        rows = sorted((row for row in self.found.rows if row.size == sample.size), key=by_merit)
        if not rows:
            return
        names = {row.name for row in Ranking(rows, len(sample.parts.test), self.margin).in_reach()}
        again = [each for each in self.models if each.name in names]
        plain = [each for each in again if not each.needs_network]
        networked = [each for each in again if each.needs_network]
        try:
            for turn in progress(range(1, SEEDS), "more seeds", "seed"):
                for model in plain:
                    self._measure_again(sample, model, turn)
                if networked and self._train_again(sample, networked, turn):
                    for model in networked:
                        self._measure_again(sample, model, turn)
        except Ended:
            return

    def _measure_again(self, sample: Sample, model: ComparedModel, turn: int) -> None:
        position = next(
            index for index, row in enumerate(self.found.rows) if (row.size, row.name) == (sample.size, model.name)
        )
        row = self.found.rows[position]
        if len(row.right) < turn or SAFETY * self._last(model) > self.budget.left():
            return
        another, _ = self.measures.measure(sample, model, limit=self.budget.left(), turn=turn)
        self.found.rows[position] = row.and_another(another, len(sample.parts.test))

    def _train_again(self, sample: Sample, compared_models: Sequence[ComparedModel], turn: int) -> bool:
        """Fits the network with another seed for as long as the first, if there is time for it and its heads."""
        first = next(network for network in self.found.networks if network.size == sample.size)
        after = self._overheads[-1].fit + sum(self._last(each) for each in compared_models)
        if SAFETY * (first.seconds + after) > self.budget.left():
            return False
        trained = self.measures.train(sample, SAFETY * first.seconds, limit=self.budget.left(), turn=turn)
        return isinstance(trained, Trained)

    def _last(self, model: ComparedModel) -> float:
        """Seconds that a model took the last time."""
        cost = self._costs[model.name][-1]
        return cost.fit + cost.rest

    def _expected_after(self, sample: Sample) -> float:
        """Estimated seconds for a network's export, its embeddings and its heads, from earlier sizes."""
        overhead = expected_seconds(self._overheads, sample.size, LINEAR) if self._overheads else _UNKNOWN_SECONDS
        heads = [each for each in self.models if each.needs_network]
        return overhead + sum(self._expected(sample, each) for each in heads)

    def _reserved_for_later(self, sample: Sample) -> float:
        """Seconds to keep for the models that come after the network's heads."""
        last = max(index for index, each in enumerate(self.models) if each.needs_network)
        wanted = SAFETY * sum(self._expected(sample, each) for each in self.models[last + 1 :])
        return max(0.0, min(wanted, _LATER_SHARE * self.budget.left()))

    def _refusal(self, sample: Sample, model: ComparedModel) -> str:
        if model.needs_network and (reason := self._no_network.get(sample.size)):
            return reason if model.name == NETWORK_NAME else f"there is no network of this size: {reason}"
        if model.name == NETWORK_NAME:
            return ""  # seconds, after minutes for the network
        needed = SAFETY * self._expected(sample, model)
        if reason := self._unable.get(model.name):
            return reason
        left = self.budget.left() - self._reserved()
        if left <= 0:
            return "the budget is spent"
        apart = " (the rest is set aside for the network)" if self._set_aside else ""
        told = f"expected to take up to {needed:.0f} s, with {left:.0f} s of the budget left for it{apart}"
        return told if needed > left else ""

    def _reserved(self) -> float:
        """Seconds for networks that are not fitted yet and for their heads; at most a share of what is left."""
        pending = [sample for sample in self.samples if sample.size in self._set_aside]
        wanted = sum(self._set_aside[sample.size] + self._expected_after(sample) for sample in pending)
        return max(0.0, min(wanted, _RESERVED_SHARE * self.budget.left()))

    def _expected(self, sample: Sample, model: ComparedModel) -> float:
        """Estimated seconds for features, fit and test; 0 for a model that cannot be fitted."""
        if model.name in self._unable:
            return 0.0
        rows = len(sample.parts.train)
        try:
            before = self.measures.preparation(sample, model, limit=self.budget.left())
            if model.name not in self._costs and rows > _PILOT_FROM and not model.needs_network:
                self._cost(model, self.measures.pilot(sample, model, limit=self.budget.left()))
        except (DataError, ExportError, Ended) as error:
            self._unable[model.name] = str(error)
            return 0.0
        if model.name not in self._costs:
            return before + _UNKNOWN_SECONDS
        limit = model.kind.max_rows if model.kind else None
        return before + expected_seconds(self._costs[model.name], min(rows, limit or rows), model.growth)

    def _leave_out(self, sample: Sample, name: str, reason: str) -> None:
        self.found.left_out.append(LeftOut(size=sample.size, name=name, reason=reason))
