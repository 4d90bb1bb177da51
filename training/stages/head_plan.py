"""`HeadPlan`: which head to fit, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from training.data.dataset import Dataset
from training.exceptions import DataError
from training.export.example_selection import COUNT
from training.heads.registry import BEST, kinds_for
from training.heads.selection.search import check_weights
from training.policy.policies import PolicyTargets
from training.policy.target_transform import TransformOption, transforms

NAME = "category"
Balance = Literal["none", "weights"]
KEEP_ROWS_MIB = 16
"""Default limit of the labelled embeddings that a bundle keeps of a head."""


@dataclass(frozen=True)
class HeadPlan:
    """Which head to fit, and how.

    Attributes:
        kind: of the registry; `best` tries all kinds and a blend of two.
        name: the head's.
        targets: of its policy.
        examples: number of training images to keep for explanations, at most; 0 for none.
        thumbnails: whether to keep thumbnails of them.
        drop: kinds of `training.clean.findings.finding_kinds`; images with such findings are dropped, test images
            excepted.
        force: drop label issues even if too few of them are estimated to be wrong labels.
        balance: with `weights` each class has the same weight in the fit and in model selection.
        target_transform: whether the head is fitted to the logarithms of numbers; with `auto` if that is better.
        keep_rows_mib: limit of the labelled embeddings that the bundle keeps for a refit; 0 for none.
        seed: of all random choices.
    """

    kind: str
    name: str = NAME
    targets: PolicyTargets = PolicyTargets()  # noqa: RUF009 (frozen)
    examples: int = COUNT
    thumbnails: bool = False
    drop: tuple[str, ...] = ()
    force: bool = False
    balance: Balance = "none"
    target_transform: TransformOption = "auto"
    keep_rows_mib: float = KEEP_ROWS_MIB
    seed: int = 0

    @property
    def keep_rows_bytes(self) -> int:
        """The same limit in bytes."""
        return int(self.keep_rows_mib * 1024 * 1024)

    def check(self, dataset: Dataset) -> None:
        """Checks that the head can be fitted to a data set.

        Raises:
            DataError: the kind is not installed, is for another task or cannot weigh classes; an option is for classes
                and the labels are numbers, or the other way round; a policy target names an unknown class.
        """
        kinds, classes = kinds_for(self.kind, dataset), dataset.classes
        self.targets.check(classes)
        if self.balance == "weights" and not classes:
            raise DataError("--balance weights weighs classes, but the labels are numbers")
        if self.balance == "weights" and self.kind != BEST:
            check_weights(kinds)
        if classes and self.target_transform != "auto":
            raise DataError(f"--target-transform {self.target_transform} is of numbers, but the labels are classes")
        if not classes:
            transforms(dataset.labels, self.target_transform)

    def as_settings(self) -> dict[str, object]:
        """The settings as the manifest has them."""
        dropped = {"dropped": list(self.drop)} if self.drop else {}
        balanced = {} if self.balance == "none" else {"balance": self.balance}
        transform = {} if self.target_transform == "auto" else {"target transform": self.target_transform}
        return {**self.targets.as_settings(), **balanced, **transform, **dropped}
