"""classes that are not to be missed ──exact bounds──▶ from which probability of them on other answers are reviewed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.exceptions import DataError
from training.policy.exact_bounds import fewest


@dataclass(frozen=True)
class Missed:
    """What is promised of a class that is not to be missed.

    Attributes:
        label: the class.
        share: of its images, at most so many are accepted as another class.
        judged_on: held-out images of it.
        enough: held-out images of it that can show that, if none is missed.
        review_from: probability of it from which on answers of another class are reviewed; None where none need be.
    """

    label: str
    share: float
    judged_on: int
    enough: int
    review_from: float | None

    @property
    def shown(self) -> bool:
        """Whether there are enough of them."""
        return self.judged_on >= self.enough

    @property
    def sentence(self) -> str:
        """For the console and the report."""
        if self.shown:
            return f"at most {100 * self.share:.3g} % of {self.label!r} accepted as another class"
        return (
            f"nothing is accepted as anything but {self.label!r}: {self.judged_on:,} held-out images of it cannot "
            f"show that at most {100 * self.share:.3g} % of it would be missed; {self.enough:,} can, if none is"
        )


def bound_missed(
    found: NDArray[np.float64],
    labels: NDArray[np.int64],
    can_accept: NDArray[np.bool_],
    *,
    classes: tuple[str, ...],
    max_missed: Mapping[str, float],
    level: float,
) -> tuple[Missed, ...]:
    """Bounds how much of each class is accepted as another one, answers of any confidence being accepted.

    Of the images of a class as many may be missed as the exact bound allows. That is a fixed sequence: it starts where
    all other answers are reviewed, and with each step the class has to be more probable for that.

    Args:
        found: probabilities as they are served, `[J, K]`.
        labels: class positions `[J]`.
        can_accept: which answers nothing but their probabilities sends to a person, `[J]`.
        classes: K names.
        max_missed: shares by the names of classes.
        level: probability that any of them is missed more often; divided among them.

    Raises:
        DataError: no such class, or a share that is none.
    """
    check_missed(max_missed, classes)
    missed = []
    for label, share in max_missed.items():
        position = classes.index(label)
        of_class = labels == position
        wrong = of_class & can_accept & (found.argmax(1) != position)
        missed.append(_bound(label, share, int(of_class.sum()), found[wrong, position], level / len(max_missed)))
    return tuple(missed)


def _bound(label: str, share: float, rows: int, wrong: NDArray[np.float64], level: float) -> Missed:
    """Of a class with so many rows, and of those that are given as another one its probabilities."""
    needed = fewest(np.arange(rows + 1), share, level)  # for so many missed
    may_miss = np.count_nonzero(needed <= rows) - 1
    review_from = None
    if may_miss < 0:
        review_from = 0.0
    elif may_miss < len(wrong):
        review_from = float(np.sort(wrong)[may_miss])
    return Missed(label, share, rows, int(needed[0]), review_from)


def check_missed(max_missed: Mapping[str, float], classes: tuple[str, ...]) -> None:
    """Whether classes and shares are some.

    Raises:
        DataError: no such class, or a share that is none.
    """
    for name, share in max_missed.items():
        if name not in classes:
            raise DataError(
                f"the class that is not to be missed is {name!r}, which is none of the labels {', '.join(classes)}"
                if classes
                else f"{name!r} is not to be missed, but the labels are numbers"
            )
        if not 0 < share < 1:
            raise DataError(f"a share of {share:g} of {name!r} may be missed; it has to be above 0 and below 1")
