"""name of a classical model ──▶ its `Kind`: which models there are, and which of them a training tries.

The settings are moderate ones for embeddings: some hundred columns, classes that are almost linearly separable, 1,000
to 60,000 rows. A kind that stores its training rows, or whose cost grows faster than their number, is fitted on some of
them, so that its graph stays small and a decision stays cheap.
"""

from __future__ import annotations

from collections.abc import Mapping

from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.svm import SVC, SVR, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from models.bundle.head_spec import Task
from training.data.dataset import Dataset
from training.exceptions import DataError
from training.heads.estimators import hyperparameters
from training.heads.features.preparation import Preparation
from training.heads.kind import Kind, blend_of, blended_names

AUTO = "auto"
"""Asks for the default kinds; the one with the least loss is chosen."""
DEFAULTS: Mapping[Task, tuple[str, ...]] = {
    "classification": ("boosted_linear",),
    "regression": (
        "linear_regression",
        "boosted_linear",
        "boosted_components",
        "boosted_columns",
        "nearest_neighbours",
    ),
}
BEST = "best"
"""Asks for all kinds; the cheapest that is as good as the best is chosen, or a blend that clearly beats it."""
ONE_SCALE = Preparation(scaling="one")
EACH_STANDARDISED = Preparation(scaling="each")
_QUICK = 256  # rows that an explanation may ask of a kind that takes microseconds for one

REGISTRY = {
    kind.name: kind
    for kind in (
        Kind(
            "logistic_regression",
            "logistic regression",
            {f"C = {strength:g}": hyperparameters.logistic(strength) for strength in hyperparameters.STRENGTHS},
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
            {f"alpha = {strength:g}": hyperparameters.ridge(strength) for strength in hyperparameters.PENALTIES},
            is_ordered=True,
            preparations=(ONE_SCALE, EACH_STANDARDISED),
            weighs=True,
            explain_rows=_QUICK,
            row_us=6,
        ),
        Kind(
            "boosted_linear",
            "gradient boosting on a linear margin",
            {"": hyperparameters.boosted},
            {"": hyperparameters.boosted},
            has_probabilities=False,
            boosts=True,
            bases={"classification": "logistic_regression", "regression": "linear_regression"},
            row_us=18,
        ),
        Kind(
            "boosted_components",
            "gradient boosting on components",
            {},
            {"": hyperparameters.boosted},
            preparations=(Preparation("components"),),
            boosts=True,
            row_us=9,
        ),
        Kind(
            "boosted_columns",
            "gradient boosting on the columns alone",
            {},
            {"": hyperparameters.boosted},
            preparations=(Preparation("nothing"),),
            boosts=True,
            row_us=7,
        ),
        Kind(
            "decision_tree",
            "decision tree",
            {"": lambda size: DecisionTreeClassifier(**hyperparameters.tree(size))},
            {"": lambda size: DecisionTreeRegressor(**hyperparameters.tree(size))},
            explain_rows=_QUICK,
            row_us=7,
        ),
        Kind(
            "random_forest",
            "random forest",
            {"": lambda size: RandomForestClassifier(**hyperparameters.forest(size))},
            {"": lambda size: RandomForestRegressor(**hyperparameters.forest(size))},
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
            {"": lambda size: KNeighborsClassifier(**hyperparameters.neighbours(size))},
            {"": lambda size: KNeighborsRegressor(**hyperparameters.neighbours(size))},
            preparations=(Preparation("direction", "one"), EACH_STANDARDISED),
            weighs=True,
            max_rows=10_000,
            takes_weights=False,
            row_us=61,
        ),
        Kind(
            "hist_gradient_boosting",
            "gradient boosting",
            {"": lambda size: HistGradientBoostingClassifier(**hyperparameters.boosting(size))},
            {"": lambda size: HistGradientBoostingRegressor(**hyperparameters.boosting(size))},
            row_us=58,
        ),
        Kind(
            "xgboost",
            "XGBoost",
            {"": hyperparameters.xgboost("XGBClassifier")},
            {"": hyperparameters.xgboost("XGBRegressor")},
            module="xgboost",
            row_us=57,
        ),
        Kind(
            "lightgbm",
            "LightGBM",
            {"": hyperparameters.lightgbm("LGBMClassifier")},
            {"": hyperparameters.lightgbm("LGBMRegressor")},
            module="lightgbm",
            row_us=71,
        ),
    )
}


def kind_named(name: str) -> Kind:
    """The kind of a head, by the name that the manifest stores.

    Raises:
        KeyError: no kind has that name.
    """
    parts = blended_names(name)
    return REGISTRY[name] if parts is None else blend_of(*(REGISTRY[part] for part in parts))


def classifiers() -> list[str]:
    """Names of the kinds that predict classes."""
    return [kind.name for kind in REGISTRY.values() if kind.settings]


def regressors() -> list[str]:
    """Names of the kinds that predict a number."""
    return [kind.name for kind in REGISTRY.values() if kind.regressors]


def installed(task: Task = "classification") -> list[Kind]:
    """The kinds for a task whose packages are installed."""
    return [kind for kind in REGISTRY.values() if kind.makers(task) and kind.is_installed]


def check_task(kind: Kind, task: Task) -> None:
    """Checks that a kind can do a task.

    Raises:
        DataError: its package is missing, or it is for the other task.
    """
    kind.check_installed()
    if not kind.makers(task):
        able = classifiers() if task == "classification" else regressors()
        raise DataError(f"{kind.name} is no model for {task}; take one of {', '.join(able)}")


def kinds_for(name: str, dataset: Dataset) -> list[Kind]:
    """The kinds that a name asks for: the default ones for `auto`, all of them for `best`, else the one of that name.

    Raises:
        DataError: the kind cannot do the task, its package is missing, or it needs columns and there are none.
    """
    if name in (AUTO, BEST):
        kinds = installed(dataset.task) if name == BEST else [REGISTRY[each] for each in DEFAULTS[dataset.task]]
        return [kind for kind in kinds if dataset.columns or not kind.needs_columns]
    kind = REGISTRY[name]
    check_task(kind, dataset.task)
    kind.check_columns(dataset.columns)
    return [kind]
