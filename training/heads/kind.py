"""`Kind`: what the registry says about one classical model, and how its unfitted estimators are made."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.bundle.head_spec import Task
from models.columns import Column
from training.exceptions import DataError
from training.heads.features.preparation import Preparation

_CONVERTERS = "onnxmltools"
_BLEND, _AND = "blend of ", " and "


@dataclass(frozen=True)
class Size:
    """What the settings of an estimator depend on.

    Attributes:
        rows: how many it is fitted on.
        seed: of whatever is random in it.
    """

    rows: int
    seed: int

    @property
    def smallest_leaf(self) -> int:
        """The fewest rows in a leaf of a tree: few enough for small data, enough for a share to mean something."""
        return int(np.clip(self.rows // 500, min(5, self.rows // 20 + 1), 100))


Maker = Callable[[Size], Any]
"""Makes an unfitted estimator."""


@dataclass(frozen=True)
class Kind:
    """One model of the registry.

    Attributes:
        name: as the manifest stores it.
        title: as people read it.
        settings: makers of unfitted classifiers, by setting; empty if the kind is for numbers only.
        regressors: makers of unfitted regressors, by setting, for numbers of mean 0 and deviation 1; empty if the kind
            is for classes only.
        is_ordered: whether the settings are ascending values of one hyperparameter. The search then starts in the
            middle and follows the falling loss.
        preparations: ways to make features that the search tries. The first is used where nothing can be evaluated.
        weighs: whether the search tries weights of the columns, hinges and products.
        boosts: whether boosted trees are fitted on top of a head of another kind, or of nothing.
        bases: that other kind, by task.
        max_rows: the most rows it is fitted on; None for all.
        has_probabilities: whether it gives probabilities; if not, its scores are calibrated.
        takes_weights: whether rows can have weights.
        explain_rows: rows that an explanation may ask it for: more of kinds that take a microsecond a row.
        row_us: microseconds for one row alone in its graph, the least of 15 runs or more: 64 numbers, 10 classes (or
            one number), fitted on 2,000 rows, 60 rounds of trees; ONNX Runtime, one core of a busy AMD EPYC. Of kinds
            that see only columns, without the time to encode them, which all kinds spend.
        module: the package it needs, which the extra `boosting` installs together with its converter.
        parts: the two kinds that it blends; empty for all other kinds.
    """

    name: str
    title: str
    settings: Mapping[str, Maker]
    regressors: Mapping[str, Maker] = field(default_factory=dict)
    is_ordered: bool = False
    preparations: tuple[Preparation, ...] = (Preparation(),)
    weighs: bool = False
    boosts: bool = False
    bases: Mapping[Task, str] = field(default_factory=dict)
    max_rows: int | None = None
    has_probabilities: bool = True
    takes_weights: bool = True
    explain_rows: int = 16
    row_us: float = 0.0
    module: str = ""
    parts: tuple[Kind, ...] = ()

    def makers(self, task: Task) -> Mapping[str, Maker]:
        """Makers of its unfitted estimators for a task, by setting; empty if the kind cannot do the task."""
        return self.settings if task == "classification" else self.regressors

    def default_setting(self, task: Task) -> str:
        """The setting that the search tries first, and that is used where nothing can be evaluated."""
        names = list(self.makers(task))
        return names[len(names) // 2] if self.is_ordered else names[0]

    @property
    def needs_columns(self) -> bool:
        """Whether it sees only the columns."""
        return all(preparation.view == "nothing" for preparation in self.preparations)

    def check_columns(self, columns: Sequence[Column]) -> None:
        """Checks that a kind which sees only columns has some.

        Raises:
            DataError: it sees only columns, and there are none.
        """
        if self.needs_columns and not columns:
            raise DataError(f"{self.name} decides by columns alone, but there are none; name them with --columns")

    @property
    def is_installed(self) -> bool:
        """Whether its package and the package that exports it are installed."""
        needed = (self.module, _CONVERTERS) if self.module else ()
        return all(importlib.util.find_spec(module) is not None for module in needed)

    def check_installed(self) -> None:
        """Checks that its package is installed.

        Raises:
            DataError: it is not.
        """
        if not self.is_installed:
            raise DataError(f"{self.name} is not installed; pip install '.[boosting]'")


def blend_of(first: Kind, second: Kind) -> Kind:
    """The kind that blends two others. It is not in the registry; its name says what it is made of."""
    return Kind(
        f"{_BLEND}{first.name}{_AND}{second.name}",
        f"blend of {first.title} and {second.title}",
        {},
        takes_weights=first.takes_weights and second.takes_weights,
        explain_rows=min(first.explain_rows, second.explain_rows),
        row_us=first.row_us + second.row_us,
        parts=(first, second),
    )


def blended_names(name: str) -> tuple[str, str] | None:
    """The names of the two kinds that the kind of this name blends; None if it is no blend."""
    if not name.startswith(_BLEND):
        return None
    first, second = name.removeprefix(_BLEND).split(_AND)
    return first, second
