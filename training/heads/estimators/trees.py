"""features ──▶ what boosted trees add to the scores of a linear model: LightGBM's trees, in Python and in a graph.

LightGBM can start from given scores, but its booster does not store them, so converters that export the booster as a
model of its own lose them. `Trees` is therefore a sum only, and its user adds it to the scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import lightgbm
import numpy as np

from training.arrays import Features
from training.export.graph_builder import GraphBuilder
from training.heads.estimators.tree_splits import lightgbm_splits

_NODE = tuple(
    f"nodes_{name}" for name in ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids")
)
_LEAF = ("target_treeids", "target_nodeids", "target_ids", "target_weights")


@dataclass(frozen=True)
class Trees:
    """A sum of trees.

    Attributes:
        booster: LightGBM's; None if there are no rounds.
        rounds: how many of its rounds count; each round has one tree for each output.
        outputs: K; 1 for numbers.
        factor: the sum is multiplied by it.
    """

    booster: lightgbm.Booster | None = field(repr=False)
    rounds: int
    outputs: int
    factor: float = 1.0

    def __call__(self, inputs: Features) -> Features:
        """What the trees add to the scores, float32 `[N, K]`, for inputs `[N, P]`."""
        if self.booster is None or not self.rounds or not len(inputs):  # LightGBM reads 0 rounds as all of them
            return np.zeros((len(inputs), self.outputs), np.float32)
        total = self.booster.predict(inputs, raw_score=True, num_iteration=self.rounds, num_threads=1)
        return (self.factor * np.asarray(total)).astype(np.float32).reshape(len(inputs), self.outputs)

    def times(self, factor: float) -> Trees:
        """The same, multiplied."""
        return replace(self, factor=self.factor * factor)

    def add(self, build: GraphBuilder, features: str, first: int) -> str:
        """Adds the node that computes the sum to a graph, and returns the name of its output.

        Args:
            build: the graph.
            features: the name of a tensor that ends with the inputs `[N, P]`.
            first: the position of the first input in it.
        """
        assert self.booster is not None
        nodes: dict[str, Any] = {name: [] for name in (*_NODE, *_LEAF)}
        trees = list(enumerate(self.booster.dump_model(num_iteration=self.rounds)["tree_info"]))
        splitting = [each for each in trees if each[1]["num_leaves"] > 1]  # a single leaf adds 0
        for tree_id, tree in splitting or trees[:1]:  # an ensemble cannot be empty
            _add_tree(nodes, tree["tree_structure"], tree_id, tree_id % self.outputs)
        nodes["nodes_values"] = lightgbm_splits(np.array(nodes["nodes_values"])).tolist()
        nodes["nodes_featureids"] = [first + feature for feature in nodes["nodes_featureids"]]
        nodes["target_weights"] = [self.factor * weight for weight in nodes["target_weights"]]
        nodes |= {"n_targets": self.outputs, "post_transform": "NONE"}
        return build.node("TreeEnsembleRegressor", features, domain="ai.onnx.ml", **nodes)


def _add_tree(nodes: Mapping[str, Any], root: Mapping[str, Any], tree: int, target: int) -> None:
    """Adds one tree of LightGBM's dump; a row goes left if its value is at most the threshold."""
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
