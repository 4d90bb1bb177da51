"""thresholds ──▶ `Promise`: what holds for the accepted answers, and with which confidence, in a sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass

from training.policy.missed_classes import MissedBound

_NAMES_SHOWN = 5


@dataclass(frozen=True)
class Promise:
    """What is promised of the answers that a policy accepts.

    Attributes:
        target: precision in [0, 1]; with costs the cost of a review, which mistakes cost at most on average.
        confidence: with which it holds on images like the held-out ones.
        held_out: number of held-out images.
        coverage: share of them that is accepted.
        of_costs: whether the target is a cost.
        enough: about how many held-out images like these would show it; None if no number would.
        fewest: smallest number of accepted answers that shows it if none is wrong; None if none does.
        instead: the best easier target that can be shown, and its coverage.
        alone: labels with a threshold of their own.
        never: labels among those for which nothing can be accepted.
        missed: bounds on missed classes.
    """

    target: float
    confidence: float
    held_out: int
    coverage: float
    of_costs: bool = False
    enough: int | None = None
    fewest: int | None = None
    instead: tuple[float, float] | None = None
    alone: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    missed: tuple[MissedBound, ...] = ()

    @property
    def shown(self) -> bool:
        """Whether a threshold keeps it and accepts something."""
        return self.coverage > 0

    def as_metrics(self) -> dict[str, bool | int | float]:
        """The promise as the manifest has it."""
        return {
            "target": self.target,
            "confidence": self.confidence,
            "judged_on": self.held_out,
            "shown": self.shown,
        }

    @property
    def sentence(self) -> str:
        """A sentence for console and report; begins with `accepts nothing: ` exactly if nothing is accepted."""
        said = self._kept() if self.shown else self._broken()
        return "; ".join([*said, *(each.sentence for each in self.missed)])

    def _kept(self) -> list[str]:
        said = [
            f"accepts {_percent(self.coverage)} of {_images(self.held_out)}; {self._what(self.target)} among those "
            f"accepted, at {_percent(self.confidence)} confidence"
        ]
        if self.alone:
            said.append(f"that holds for {_names(self.alone)}, each by itself")
        if self.never:
            said.append(f"nothing can be accepted as {_names(self.never)}")
        return said

    def _broken(self) -> list[str]:
        if any(not each.shown for each in self.missed):
            return ["accepts nothing: not to miss a class comes before all else"]
        said = [
            f"accepts nothing: with {_images(self.held_out)} no threshold can show {self._what(self.target)} among "
            f"those accepted, at {_percent(self.confidence)} confidence",
            self._would_do(),
        ]
        if self.instead:
            target, coverage = self.instead
            said.append(f"{self._what(target)} can be shown, for {_percent(coverage)} of the images")
        return said

    def _would_do(self) -> str:
        if self.enough is not None:
            return f"about {_rounded(self.enough):,} would be enough"
        if self.fewest is None:
            return "no number of them would be enough"
        return f"it takes a better head, and at least {self.fewest:,} accepted ones without a mistake"

    def _what(self, target: float) -> str:
        return f"mistakes that cost at most {target:g} on average" if self.of_costs else f"{_percent(target)} right"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _images(count: int) -> str:
    return f"{count:,} held-out image{'' if count == 1 else 's'}"


def _names(labels: tuple[str, ...]) -> str:
    more = f" and {len(labels) - _NAMES_SHOWN} others" if len(labels) > _NAMES_SHOWN else ""
    return ", ".join(map(repr, labels[:_NAMES_SHOWN])) + more


def _rounded(count: int) -> int:
    """Rounds an estimate up to two digits."""
    step = int(10 ** max(0, math.floor(math.log10(count)) - 1))
    return math.ceil(count / step) * step
