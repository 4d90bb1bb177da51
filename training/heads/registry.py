"""name of a classical model ──▶ an estimator to fit on embeddings and columns, and what it asks for.

Settings are moderate ones for embeddings: some hundred columns, classes all but linearly separable, 1,000 to 60,000
rows. Whatever stores its training rows, or costs more than linearly in them, is fitted on a part of them, so that its
graph stays small and a decision cheap.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.svm import SVC, SVR, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from models.bundle.head_spec import Task
from models.columns import Column
from training.data.dataset import Dataset
from training.exceptions import DataError
from training.heads.estimators.boosted import Boosted
from training.heads.features.preparation import Preparation

_CONVERTERS = "onnxmltools"
AUTO = "auto"
"""Asks for the default kinds, of which the one of least loss is taken."""
DEFAULTS: Mapping[Task, tuple[str, ...]] = {
    "classification": ("boosted_linear",),
    "regression": ("linear_regression", "boosted_linear", "boosted_components", "boosted_columns"),
}
BEST = "best"
"""Asks for all kinds: the cheapest that is as good as the best serves, or a blend that clearly beats it."""
NEIGHBOURS = 15
_QUICK = 256
_BLEND, _AND = "blend of ", " and "
_STRENGTHS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""C of logistic regression, from a strong penalty to hardly any: some hundred rows of a wide embedding want the one,
60,000 of a narrow one the other."""
ONE_SCALE = Preparation(scaling="one")
EACH_STANDARDISED = Preparation(scaling="each")
_FOREST_LEAVES = 128  # of each of 100 trees: some 3 MB of graph for ten classes


@dataclass(frozen=True)
class Size:
    """What an estimator's settings depend on.

    Attributes:
        rows: that it is fitted on.
        seed: of whatever in it is random.
    """

    rows: int
    seed: int

    @property
    def smallest_leaf(self) -> int:
        """Rows of a tree's smallest leaf: few enough for small data, enough for a share to mean something."""
        return int(np.clip(self.rows // 500, min(5, self.rows // 20 + 1), 100))


Maker = Callable[[Size], Any]


@dataclass(frozen=True)
class Kind:
    """One model of the registry.

    Attributes:
        name: as the manifest tells it.
        title: for a person.
        settings: make unfitted classifiers, by what tells them apart.
        regressors: the same for numbers, of mean 0 and deviation 1; none where the kind is for classes alone.
        is_ordered: whether the settings are values of one hyperparameter, ascending: then the search begins in the
            middle and goes where the loss falls.
        preparations: ways to make features that are tried, the first of them where nothing can be judged.
        weighs: whether the weight of the columns, hinges and products are searched for.
        boosts: whether boosted trees are put on heads of another kind, or on nothing.
        bases: that other kind, by task.
        max_rows: it is fitted on at most so many.
        has_probabilities: whether it gives probabilities, or scores that have to be calibrated.
        takes_weights: whether rows can weigh more than others.
        explain_rows: that an explanation may ask of it: more of kinds whose rows cost a microsecond than of ensembles.
        row_us: microseconds of one row alone in its graph, the least of 15 runs or more: 64 numbers, 10 classes (of
            kinds for numbers a number), fitted on 2,000 rows, 60 rounds of trees; ONNX Runtime, one core of a busy AMD
            EPYC. Of columns alone less what encoding them takes, which all kinds do.
        module: that has to be installed with its converter, by the extra `boosting`.
        parts: the two kinds that it blends; none of others.
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
        """What makes its unfitted estimators for a task.

        Raises:
            DataError: the kind's package is missing, or the kind cannot do the task.
        """
        self.check_installed()
        made, able = (self.settings, classifiers) if task == "classification" else (self.regressors, regressors)
        if not made:
            raise DataError(f"{self.name} is no model for {task}; take one of {', '.join(able())}")
        return made

    @property
    def needs_columns(self) -> bool:
        """Whether it looks at nothing else."""
        return all(preparation.view == "nothing" for preparation in self.preparations)

    def check_columns(self, columns: Sequence[Column]) -> None:
        """Asks for what the kind looks at.

        Raises:
            DataError: it looks at columns alone, and there are none.
        """
        if self.needs_columns and not columns:
            raise DataError(f"{self.name} decides by columns alone, but there are none; name them with --columns")

    def first(self, task: Task) -> str:
        """The setting that is tried first, and taken where nothing can be judged."""
        names = list(self.makers(task))
        return names[len(names) // 2] if self.is_ordered else names[0]

    @property
    def is_installed(self) -> bool:
        """Whether its package and what makes graphs of that are there."""
        needed = (self.module, _CONVERTERS) if self.module else ()
        return all(importlib.util.find_spec(module) is not None for module in needed)

    def check_installed(self) -> None:
        """Asks for the kind's package.

        Raises:
            DataError: it is missing.
        """
        if not self.is_installed:
            raise DataError(f"{self.name} is not installed; pip install '.[boosting]'")


def _boosting(size: Size) -> dict[str, Any]:
    """Shallow, slow and regularized.

    On embeddings trees of 8 leaves gave a log loss of 0.170 on validation images where trees of 15 gave 0.187
    (Fashion-MNIST, 20 epochs).
    """
    return {
        "max_iter": 100,
        "learning_rate": 0.08,
        "max_leaf_nodes": 8,
        "min_samples_leaf": size.smallest_leaf,
        "l2_regularization": 5.0,
        "early_stopping": False,
        "random_state": size.seed,
    }


def _xgboost(name: str) -> Maker:
    settings = {"n_estimators": 100, "learning_rate": 0.1, "max_depth": 3, "reg_lambda": 5.0, "n_jobs": 0}
    return lambda size: getattr(importlib.import_module("xgboost"), name)(**settings, random_state=size.seed)


def _lightgbm(name: str) -> Maker:
    settings = {"n_estimators": 100, "learning_rate": 0.08, "num_leaves": 8, "reg_lambda": 5.0, "verbose": -1}
    return lambda size: getattr(importlib.import_module("lightgbm"), name)(
        **settings, min_child_samples=size.smallest_leaf, random_state=size.seed, n_jobs=0
    )


def _tree(size: Size) -> dict[str, Any]:
    return {"max_leaf_nodes": 256, "min_samples_leaf": size.smallest_leaf, "random_state": size.seed}


def _forest(size: Size) -> dict[str, Any]:
    leaf = max(1, size.smallest_leaf // 4)
    common = {"n_estimators": 100, "max_leaf_nodes": _FOREST_LEAVES, "n_jobs": -1}
    return {**common, "min_samples_leaf": leaf, "random_state": size.seed}


def _neighbours(size: Size) -> dict[str, Any]:
    return {"n_neighbors": max(1, min(NEIGHBOURS, size.rows // 4)), "algorithm": "brute"}


def _logistic(strength: float) -> Maker:
    return lambda _: LogisticRegression(C=strength)


def _ridge(strength: float) -> Maker:
    return lambda _: Ridge(alpha=strength)


def _boosted(_: Size) -> Boosted:
    return Boosted()


REGISTRY = {
    kind.name: kind
    for kind in (
        Kind(
            "logistic_regression",
            "logistic regression",
            {f"C = {strength:g}": _logistic(strength) for strength in _STRENGTHS},
            is_ordered=True,
            preparations=(ONE_SCALE, Preparation("roots", "one")),
            weighs=True,
            explain_rows=_QUICK,
            row_us=7,
        ),
        Kind(
            "linear_regression",
            "linear regression",
            {},
            {f"alpha = {strength:g}": _ridge(strength) for strength in (0.1, 1.0, 10.0, 100.0, 1000.0, 10_000.0)},
            is_ordered=True,
            preparations=(ONE_SCALE, EACH_STANDARDISED),
            weighs=True,
            explain_rows=_QUICK,
            row_us=6,
        ),
        Kind(
            "boosted_linear",
            "gradient boosting on a linear margin",
            {"": _boosted},
            {"": _boosted},
            has_probabilities=False,
            boosts=True,
            bases={"classification": "logistic_regression", "regression": "linear_regression"},
            row_us=18,
        ),
        Kind(
            "boosted_components",
            "gradient boosting on components",
            {},
            {"": _boosted},
            preparations=(Preparation("components"),),
            boosts=True,
            row_us=9,
        ),
        Kind(
            "boosted_columns",
            "gradient boosting on the columns alone",
            {},
            {"": _boosted},
            preparations=(Preparation("nothing"),),
            boosts=True,
            row_us=7,
        ),
        Kind(
            "decision_tree",
            "decision tree",
            {"": lambda size: DecisionTreeClassifier(**_tree(size))},
            {"": lambda size: DecisionTreeRegressor(**_tree(size))},
            explain_rows=_QUICK,
            row_us=7,
        ),
        Kind(
            "random_forest",
            "random forest",
            {"": lambda size: RandomForestClassifier(**_forest(size))},
            {"": lambda size: RandomForestRegressor(**_forest(size))},
            row_us=11,
        ),
        Kind(
            "linear_svm",
            "linear support vector machine",
            {"": lambda size: LinearSVC(C=0.001, dual=False, random_state=size.seed)},
            preparations=(ONE_SCALE, EACH_STANDARDISED),
            weighs=True,
            has_probabilities=False,
            explain_rows=_QUICK,
            row_us=7,
        ),
        Kind(
            "svm",
            "support vector machine (RBF)",
            {"": lambda size: SVC(C=5.0, random_state=size.seed)},
            {"": lambda _: SVR(C=1.0)},
            preparations=(ONE_SCALE, EACH_STANDARDISED),
            weighs=True,
            max_rows=10_000,
            has_probabilities=False,
            row_us=725,
        ),
        Kind(
            "nearest_neighbours",
            "nearest neighbours",
            {"": lambda size: KNeighborsClassifier(**_neighbours(size))},
            {"": lambda size: KNeighborsRegressor(**_neighbours(size))},
            preparations=(Preparation("direction", "one"), EACH_STANDARDISED),
            weighs=True,
            max_rows=10_000,
            takes_weights=False,
            row_us=61,
        ),
        Kind(
            "hist_gradient_boosting",
            "gradient boosting",
            {"": lambda size: HistGradientBoostingClassifier(**_boosting(size))},
            {"": lambda size: HistGradientBoostingRegressor(**_boosting(size))},
            row_us=58,
        ),
        Kind(
            "xgboost",
            "XGBoost",
            {"": _xgboost("XGBClassifier")},
            {"": _xgboost("XGBRegressor")},
            module="xgboost",
            row_us=57,
        ),
        Kind(
            "lightgbm",
            "LightGBM",
            {"": _lightgbm("LGBMClassifier")},
            {"": _lightgbm("LGBMRegressor")},
            module="lightgbm",
            row_us=71,
        ),
    )
}


def blend_of(first: Kind, second: Kind) -> Kind:
    """A kind that blends two others; it is not in the registry, and its name tells what it is made of."""
    return Kind(
        f"{_BLEND}{first.name}{_AND}{second.name}",
        f"blend of {first.title} and {second.title}",
        {},
        takes_weights=first.takes_weights and second.takes_weights,
        explain_rows=min(first.explain_rows, second.explain_rows),
        row_us=first.row_us + second.row_us,
        parts=(first, second),
    )


def kind_named(name: str) -> Kind:
    """The kind of a head, by the name that a manifest tells.

    Raises:
        KeyError: there is none of that name.
    """
    if not name.startswith(_BLEND):
        return REGISTRY[name]
    first, second = name.removeprefix(_BLEND).split(_AND)
    return blend_of(REGISTRY[first], REGISTRY[second])


def classifiers() -> list[str]:
    """Names of the kinds that tell classes apart."""
    return [kind.name for kind in REGISTRY.values() if kind.settings]


def regressors() -> list[str]:
    """Names of the kinds that name a number."""
    return [kind.name for kind in REGISTRY.values() if kind.regressors]


def installed(task: Task = "classification") -> list[Kind]:
    """The kinds for a task whose packages are installed."""
    able = classifiers() if task == "classification" else regressors()
    return [REGISTRY[name] for name in able if REGISTRY[name].is_installed]


def asked_for(name: str, dataset: Dataset) -> list[Kind]:
    """The kinds that a name means for a data set: itself, the default ones for `auto`, or all of them for `best`.

    Raises:
        DataError: the kind cannot do the task, its package is missing, or it wants columns and there are none.
    """
    task, kinds = dataset.task, [REGISTRY[name] for name in DEFAULTS[dataset.task]]
    if name == BEST:
        kinds = installed(task)
    if name in (AUTO, BEST):
        return [kind for kind in kinds if dataset.columns or not kind.needs_columns]
    kind = REGISTRY[name]
    kind.makers(task)
    kind.check_columns(dataset.columns)
    return [kind]
