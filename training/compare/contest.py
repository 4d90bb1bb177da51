"""samples, contenders and a budget ──▶ rows, and what was left out: nothing is started that is not expected to fit.

Small sizes come first, and of each size the contenders that tell most. Time for the networks is set aside from the
start: half of the budget, most of it for the largest size, whose network also gets whatever is left when its turn
comes, but for what its heads need and a part for the contenders behind them. A fit that takes longer than what was left
for it is ended. Time that is left at last goes into more seeds of whatever may still be recommended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from training.compare.budget import LINEAR, SAFETY, Budget, Cost, expected_seconds, network_seconds
from training.compare.contenders import NETWORK_NAME, Contender
from training.compare.network_contender import Trained
from training.compare.report.comparison_rows import LeftOut, Network, Row, by_merit
from training.compare.report.nested_samples import Sample
from training.compare.report.policy_outcome import DEFAULT_MARGIN, Race
from training.compare.time_limit import Ended
from training.exceptions import DataError, ExportError
from training.progress import progress

_RESERVED_SHARE = 0.7
"""Of the time left: expectations for large sizes are rough as long as only small ones were measured."""
_BEHIND_SHARE = 0.12
"""Of the time left, at most, kept for what comes behind the last network and its heads."""
INTERRUPTED = "interrupted"
_UNKNOWN_SECONDS = 1.0  # of a row on few images; on more, a pilot tells
_PILOT_FROM = 2000  # images
SEEDS = 3
"""That a model is fitted with at most."""


class Measures(Protocol):
    """See `training.compare.contest_bench`. Each raises Ended when it takes more than `limit` seconds."""

    def train(self, sample: Sample, seconds: float, *, limit: float, turn: int = 0) -> Trained | str:
        """Fits the network of a size in so many seconds; or says why not."""

    def preparation(self, sample: Sample, contender: Contender, *, limit: float) -> float:
        """Seconds that a contender's features will take."""

    def pilot(self, sample: Sample, contender: Contender, *, limit: float) -> Cost:
        """A classical model's cost on a few images."""

    def measure(self, sample: Sample, contender: Contender, *, limit: float, turn: int = 0) -> tuple[Row, Cost]:
        """A contender's row."""


@dataclass
class Findings:
    """What there is so far."""

    rows: list[Row] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    networks: list[Network] = field(default_factory=list)
    interrupted: bool = False


class Contest:
    """One comparison."""

    def __init__(
        self,
        measures: Measures,
        samples: Sequence[Sample],
        entered: Sequence[Contender],
        budget: Budget,
        margin: float = DEFAULT_MARGIN,
    ) -> None:
        self.measures = measures
        self.samples = samples
        self.entered = entered
        self.budget = budget
        self.margin = margin
        self.found = Findings()
        self._set_aside = network_seconds([sample.size for sample in samples], budget.left())
        self._costs: dict[str, list[Cost]] = {}
        self._overheads: list[Cost] = []
        self._no_network: dict[int, str] = {}
        self._unable: dict[str, str] = {}

    def hold(self) -> Findings:
        """Measures what fits; Ctrl-C ends it with what there is."""
        tasks = [(sample, contender) for sample in self.samples for contender in self.entered]
        done = 0
        try:
            for sample, contender in progress(tasks, "comparing", "row"):
                self._take(sample, contender)
                done += 1
            self._repeat(self.samples[-1])
        except KeyboardInterrupt:
            self.found.interrupted = True
            for sample, contender in tasks[done:]:
                self._leave_out(sample, contender.name, INTERRUPTED)
        return self.found

    def _take(self, sample: Sample, contender: Contender) -> None:
        if contender.needs_network and sample.size in self._set_aside:
            self._train(sample)
        if reason := self._refusal(sample, contender):
            self._leave_out(sample, contender.name, reason)
            return
        started, limit = self.budget.spent(), self.budget.left() - self._reserved()
        try:
            row, cost = self.measures.measure(sample, contender, limit=limit)
        except (DataError, ExportError, Ended) as error:
            self._leave_out(sample, contender.name, str(error))
            if isinstance(error, Ended):  # of more rows, it will take more
                self._cost(contender, Cost(len(sample.parts.train), self.budget.spent() - started, 0.0))
            return
        self.found.rows.append(row)
        self._cost(contender, cost)

    def _cost(self, contender: Contender, cost: Cost) -> None:
        self._costs.setdefault(contender.name, []).append(cost)

    def _train(self, sample: Sample) -> None:
        share = self._set_aside.pop(sample.size)
        after = self._expected_after(sample)
        left = self.budget.left() - sum(self._set_aside.values()) - SAFETY * after
        left = min(max(left, share / 2), self.budget.left())  # expectations do not take all of its share
        seconds = left - self._behind(sample) if sample is self.samples[-1] else min(share, left)
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
        """More seeds of the largest size's models that may be recommended, as long as there is time."""
        rows = sorted((row for row in self.found.rows if row.size == sample.size), key=by_merit)
        if not rows:
            return
        names = {row.name for row in Race(rows, len(sample.parts.test), self.margin).in_reach()}
        again = [each for each in self.entered if each.name in names]
        plain = [each for each in again if not each.needs_network]
        networked = [each for each in again if each.needs_network]
        try:
            for turn in progress(range(1, SEEDS), "more seeds", "seed"):
                for contender in plain:
                    self._measure_again(sample, contender, turn)
                if networked and self._train_again(sample, networked, turn):
                    for contender in networked:
                        self._measure_again(sample, contender, turn)
        except Ended:
            return

    def _measure_again(self, sample: Sample, contender: Contender, turn: int) -> None:
        position = next(
            index for index, row in enumerate(self.found.rows) if (row.size, row.name) == (sample.size, contender.name)
        )
        row = self.found.rows[position]
        if len(row.right) < turn or SAFETY * self._last(contender) > self.budget.left():
            return
        another, _ = self.measures.measure(sample, contender, limit=self.budget.left(), turn=turn)
        self.found.rows[position] = row.and_another(another, len(sample.parts.test))

    def _train_again(self, sample: Sample, contenders: Sequence[Contender], turn: int) -> bool:
        """Fits the network with another seed for as long as the first one, if there is time for that and its heads."""
        first = next(network for network in self.found.networks if network.size == sample.size)
        after = self._overheads[-1].fit + sum(self._last(each) for each in contenders)
        if SAFETY * (first.seconds + after) > self.budget.left():
            return False
        trained = self.measures.train(sample, SAFETY * first.seconds, limit=self.budget.left(), turn=turn)
        return isinstance(trained, Trained)

    def _last(self, contender: Contender) -> float:
        """Seconds that a contender took last."""
        cost = self._costs[contender.name][-1]
        return cost.fit + cost.rest

    def _expected_after(self, sample: Sample) -> float:
        """Seconds for export, embeddings and all that needs them, as far as earlier sizes tell."""
        overhead = expected_seconds(self._overheads, sample.size, LINEAR) if self._overheads else _UNKNOWN_SECONDS
        heads = [each for each in self.entered if each.needs_network]
        return overhead + sum(self._expected(sample, each) for each in heads)

    def _behind(self, sample: Sample) -> float:
        """Seconds to be kept for what is entered behind the network's heads."""
        last = max(index for index, each in enumerate(self.entered) if each.needs_network)
        wanted = SAFETY * sum(self._expected(sample, each) for each in self.entered[last + 1 :])
        return max(0.0, min(wanted, _BEHIND_SHARE * self.budget.left()))

    def _refusal(self, sample: Sample, contender: Contender) -> str:
        if contender.needs_network and (reason := self._no_network.get(sample.size)):
            return reason if contender.name == NETWORK_NAME else f"there is no network of this size: {reason}"
        if contender.name == NETWORK_NAME:
            return ""  # seconds, after minutes for the network
        needed = SAFETY * self._expected(sample, contender)
        if reason := self._unable.get(contender.name):
            return reason
        left = self.budget.left() - self._reserved()
        if left <= 0:
            return "the budget is spent"
        apart = " (the rest is set aside for the network)" if self._set_aside else ""
        told = f"expected to take up to {needed:.0f} s, with {left:.0f} s of the budget left for it{apart}"
        return told if needed > left else ""

    def _reserved(self) -> float:
        """Seconds for the networks that are not yet fitted and for what needs them; a part of what is left at most."""
        pending = [sample for sample in self.samples if sample.size in self._set_aside]
        wanted = sum(self._set_aside[sample.size] + self._expected_after(sample) for sample in pending)
        return max(0.0, min(wanted, _RESERVED_SHARE * self.budget.left()))

    def _expected(self, sample: Sample, contender: Contender) -> float:
        """Seconds for features, fit and test; 0 for a contender that proves unable to compete."""
        if contender.name in self._unable:
            return 0.0
        rows = len(sample.parts.train)
        try:
            before = self.measures.preparation(sample, contender, limit=self.budget.left())
            if contender.name not in self._costs and rows > _PILOT_FROM and not contender.needs_network:
                self._cost(contender, self.measures.pilot(sample, contender, limit=self.budget.left()))
        except (DataError, ExportError, Ended) as error:
            self._unable[contender.name] = str(error)
            return 0.0
        if contender.name not in self._costs:
            return before + _UNKNOWN_SECONDS
        limit = contender.kind.max_rows if contender.kind else None
        return before + expected_seconds(self._costs[contender.name], min(rows, limit or rows), contender.growth)

    def _leave_out(self, sample: Sample, name: str, reason: str) -> None:
        self.found.left_out.append(LeftOut(size=sample.size, name=name, reason=reason))
