"""classes not to be missed ──exact bounds──▶ probabilities of them from which on other answers are reviewed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.exceptions import DataError
from training.policy.exact_bounds import fewest


@dataclass(frozen=True)
class MissedBound:
    """An upper bound on the share of a class that is accepted as another class.

    Attributes:
        label: the class.
        share: the bound, in (0, 1).
        held_out: number of held-out images of the class.
        enough: number of held-out images of the class that show the bound if none is missed.
        review_from: probability of the class from which on answers of other classes are reviewed; None if none is.
    """

    label: str
    share: float
    held_out: int
    enough: int
    review_from: float | None

    @property
    def shown(self) -> bool:
        """Whether there are enough held-out images of the class."""
        return self.held_out >= self.enough

    @property
    def sentence(self) -> str:
        """A sentence for the console and the report."""
        if self.shown:
            return f"at most {100 * self.share:.3g} % of {self.label!r} accepted as another class"
        return (
            f"nothing is accepted as anything but {self.label!r}: {self.held_out:,} held-out images of it cannot "
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
) -> tuple[MissedBound, ...]:
    """Bounds the share of each class that is accepted as another one, if answers of any confidence are accepted.

    As many images of a class may be missed as the exact bound allows. The tests are a fixed sequence: it starts with
    all other answers reviewed, and each step needs a higher probability of the class for a review.

    Args:
        found: probabilities as served, float64 `[J, K]`.
        labels: class positions, int64 `[J]`.
        can_accept: which answers only their probabilities may send to review, bool `[J]`.
        classes: K names.
        max_missed: bounds by class name.
        level: probability that any bound is exceeded; divided among the classes.

    Raises:
        DataError: a class is unknown, or a share is not in (0, 1).
    """
    check_missed(max_missed, classes)
    missed = []
    for label, share in max_missed.items():
        position = classes.index(label)
        of_class = labels == position
        wrong = of_class & can_accept & (found.argmax(1) != position)
        missed.append(_bound(label, share, int(of_class.sum()), found[wrong, position], level / len(max_missed)))
    return tuple(missed)


def _bound(label: str, share: float, rows: int, wrong: NDArray[np.float64], level: float) -> MissedBound:
    """The bound of a class with so many rows; `wrong` has its probabilities where another class is answered."""
    needed = fewest(np.arange(rows + 1), share, level)  # for so many missed
    may_miss = np.count_nonzero(needed <= rows) - 1
    review_from = None
    if may_miss < 0:
        review_from = 0.0
    elif may_miss < len(wrong):
        review_from = float(np.sort(wrong)[may_miss])
    return MissedBound(label, share, rows, int(needed[0]), review_from)


def check_missed(max_missed: Mapping[str, float], classes: tuple[str, ...]) -> None:
    """Checks classes and shares.

    Raises:
        DataError: a class is unknown, or a share is not in (0, 1).
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
