"""features ──▶ what boosted trees add to the scores of a linear model: LightGBM's trees, in Python and in a graph.

LightGBM starts from given scores and fits trees to what those leave. Its booster does not know them afterwards, so that
a converter which makes a model of the booster alone loses them; here trees give a sum, and whoever has them adds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from training.export.graph_builder import GraphBuilder
from training.heads.estimators.tree_splits import lightgbm_splits

Features = NDArray[np.float32]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Growth:
    """How trees are grown.

    Attributes:
        classes: K; 0 of numbers.
        seed: of what is random.
        rate: that each tree is multiplied by.
    """

    classes: int
    seed: int
    rate: float = 0.05

    @property
    def rounds(self) -> int:
        """At most."""
        return 120 if self.classes else 400

    @property
    def patience(self) -> int:
        """Rounds without a better mean over the folds after which no more are tried."""
        return 15 if self.classes else 30

    @property
    def settings(self) -> dict[str, Any]:
        """LightGBM's parameters."""
        return {
            **(_OF_CLASSES | {"num_class": self.classes} if self.classes else _OF_NUMBERS),
            "learning_rate": self.rate,
            "lambda_l2": 5.0,
            "max_bin": 63,
            "boost_from_average": False,
            "feature_pre_filter": False,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "seed": self.seed,
            "verbosity": -1,
        }


_OF_CLASSES: dict[str, Any] = {
    "objective": "multiclass",
    "metric": "multi_logloss",
    "num_leaves": 6,
    "max_depth": 3,
    "min_data_in_leaf": 20,
}
"""Few and shallow: the linear model that they correct is good already."""
_OF_NUMBERS: dict[str, Any] = {
    "objective": "regression",
    "metric": "l2",
    "num_leaves": 16,
    "min_data_in_leaf": 3,
    "extra_trees": True,
}
"""Deep, with thresholds drawn at random. On clothes, default embedding and columns, a price was 7.94 off (500 rows) and
7.21 (2,000) on 10,000 test rows; with the best threshold of each feature 8.03 and 7.27, with trees as those of classes
8.22 and 7.46. On 60 made-up rows leaves of 3 rows were as good as those of 5, and better than those of 10."""


@dataclass(frozen=True)
class Sample:
    """Rows that trees are grown on.

    Attributes:
        inputs: what trees look at, float32 `[N, P]`.
        labels: class positions or numbers, `[N]`.
        margins: scores that they start from, float32 `[N, K]`; of numbers `[N, 1]`.
        weights: of the rows, `[N]`; None where all weigh the same.
    """

    inputs: Features
    labels: NDArray[Any]
    margins: Features
    weights: Floats | None = None

    def part(self, positions: NDArray[np.int64]) -> Sample:
        """Some of them."""
        weights = None if self.weights is None else self.weights[positions]
        return Sample(self.inputs[positions], self.labels[positions], self.margins[positions], weights)

    def to_lightgbm(self, growth: Growth, reference: lightgbm.Dataset | None = None) -> lightgbm.Dataset:
        """As LightGBM wants it."""
        margins = self.margins.astype(np.float64)
        return lightgbm.Dataset(
            self.inputs,
            self.labels,
            weight=self.weights,
            init_score=margins if growth.classes else margins[:, 0],
            reference=reference,
            params=growth.settings,
            free_raw_data=False,
        )


@dataclass(frozen=True)
class Trees:
    """A sum of trees.

    Attributes:
        booster: LightGBM's; None where there are no rounds.
        rounds: how many rounds of it count; each has a tree for each output.
        outputs: K; 1 of numbers.
        factor: that the sum is multiplied by.
    """

    booster: lightgbm.Booster | None = field(repr=False)
    rounds: int
    outputs: int
    factor: float = 1.0

    def __call__(self, inputs: Features) -> Features:
        """What they add to the scores, float32 `[N, K]`, on inputs `[N, P]`."""
        if self.booster is None or not self.rounds or not len(inputs):  # LightGBM takes 0 rounds for all it has
            return np.zeros((len(inputs), self.outputs), np.float32)
        found = self.booster.predict(inputs, raw_score=True, num_iteration=self.rounds, num_threads=1)
        return (self.factor * np.asarray(found)).astype(np.float32).reshape(len(inputs), self.outputs)

    def times(self, factor: float) -> Trees:
        """The same, multiplied."""
        return replace(self, factor=self.factor * factor)

    def add(self, build: GraphBuilder, features: str, first: int) -> str:
        """Adds the node that computes it to a graph; names its output.

        Args:
            build: takes it.
            features: which end in the inputs `[N, P]`.
            first: position of the first input among them.
        """
        assert self.booster is not None
        nodes: dict[str, Any] = {name: [] for name in (*_NODE, *_LEAF)}
        trees = list(enumerate(self.booster.dump_model(num_iteration=self.rounds)["tree_info"]))
        splitting = [each for each in trees if each[1]["num_leaves"] > 1]  # a leaf alone says 0
        for tree_id, tree in splitting or trees[:1]:  # no ensemble can be empty
            _add_tree(nodes, tree["tree_structure"], tree_id, tree_id % self.outputs)
        nodes["nodes_values"] = lightgbm_splits(np.array(nodes["nodes_values"])).tolist()
        nodes["nodes_featureids"] = [first + feature for feature in nodes["nodes_featureids"]]
        nodes["target_weights"] = [self.factor * weight for weight in nodes["target_weights"]]
        nodes |= {"n_targets": self.outputs, "post_transform": "NONE"}
        return build.node("TreeEnsembleRegressor", features, domain="ai.onnx.ml", **nodes)


def grow(sample: Sample, growth: Growth, rounds: int) -> Trees:
    """Grows a number of rounds of trees."""
    if not rounds:
        return Trees(None, 0, max(1, growth.classes))
    booster = lightgbm.Booster(growth.settings, sample.to_lightgbm(growth))
    _add_rounds([booster], rounds)
    return Trees(booster, rounds, max(1, growth.classes))


def cross_grow(
    samples: Mapping[int, Sample], folds: NDArray[np.int64], growth: Growth, rounds: int | None = None
) -> tuple[Mapping[int, Trees], int]:
    """Grows trees without each fold, as many rounds as are best for what the folds hold, on average; perhaps none.

    Args:
        samples: all rows, as those without each fold see them, by fold.
        folds: of each row, int64 `[N]`.
        growth: how.
        rounds: how many, where that is known.

    Returns:
        The trees without each fold, by fold, and how many rounds they have.
    """
    outputs = max(1, growth.classes)
    if len(np.unique(folds)) < 2 or not all(sample.inputs.size for sample in samples.values()):
        return dict.fromkeys(samples, Trees(None, 0, outputs)), 0
    boosters, shares = {}, []
    for fold, sample in samples.items():
        fitted, held = sample.part(np.flatnonzero(folds != fold)), sample.part(np.flatnonzero(folds == fold))
        data = fitted.to_lightgbm(growth)
        boosters[fold] = lightgbm.Booster(growth.settings, data)
        if len(held.labels):  # else all rows of the fold were left out
            boosters[fold].add_valid(held.to_lightgbm(growth, data), "held")
        shares.append(float(len(held.labels) if held.weights is None else held.weights.sum()))
    if rounds is None:
        rounds = _best_round(list(boosters.values()), shares, growth)
    else:
        _add_rounds(boosters.values(), rounds)
    return {fold: Trees(booster, rounds, outputs) for fold, booster in boosters.items()}, rounds


def _add_rounds(boosters: Iterable[lightgbm.Booster], rounds: int) -> None:
    for booster in boosters:
        for _ in range(rounds):
            booster.update()


def _best_round(boosters: Sequence[lightgbm.Booster], shares: Sequence[float], growth: Growth) -> int:
    """Adds rounds to all boosters at once until their mean loss on what they have not seen falls no more."""
    curve = [_mean_loss(boosters, shares)]
    while len(curve) <= growth.rounds and len(curve) - 1 - int(np.argmin(curve)) < growth.patience:
        ended = [booster.update() for booster in boosters]  # True of one that could split nothing
        if all(ended):
            break
        curve.append(_mean_loss(boosters, shares))
    return int(np.argmin(curve))


def _mean_loss(boosters: Sequence[lightgbm.Booster], shares: Sequence[float]) -> float:
    return sum(share * booster.eval_valid()[0][2] for booster, share in zip(boosters, shares, strict=True) if share)


_NODE = tuple(
    f"nodes_{name}" for name in ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids")
)
_LEAF = ("target_treeids", "target_nodeids", "target_ids", "target_weights")


def _add_tree(nodes: Mapping[str, Any], root: Mapping[str, Any], tree: int, target: int) -> None:
    """Adds a tree of LightGBM's dump: a row goes left where its value is no larger than the threshold."""
    waiting, count = [(root, 0)], 1
    while waiting:
        node, index = waiting.pop()
        if "leaf_value" in node:
            row: tuple[Any, ...] = (tree, index, 0, "LEAF", 0.0, 0, 0)
            leaf: tuple[Any, ...] = (tree, index, target, float(node["leaf_value"]))
            for name, value in zip(_LEAF, leaf, strict=True):
                nodes[name].append(value)
        else:
            row = (tree, index, node["split_feature"], "BRANCH_LEQ", node["threshold"], count, count + 1)
            waiting += [(node["left_child"], count), (node["right_child"], count + 1)]
            count += 2
        for name, value in zip(_NODE, row, strict=True):
            nodes[name].append(value)
