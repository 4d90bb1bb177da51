"""Bundles with larger heads."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from models.bundle.golden import verify
from models.bundle.loading import Bundle
from models.bundle.store import Store, resolve
from tests.tiny_bundle import EMBEDDING_WIDTH, tiny_bundle
from tools.grown_heads import grow


@pytest.mark.parametrize("trees", [6, 30])
def test_a_grown_bundle_verifies_and_has_as_many_trees_as_its_name_says(tmp_path: Path, trees: int) -> None:
    base = Bundle.open(tiny_bundle(tmp_path / "base"))
    random = np.random.default_rng(0)
    embedding, labels = random.random((2000, EMBEDDING_WIDTH), np.float32), random.integers(0, 3, 2000)
    path = grow(base, embedding, labels, trees, Store(tmp_path / "grown"))
    bundle = Bundle.open(resolve(tmp_path / "grown" / f"trees-{trees}"))
    verify(bundle)
    [ensemble] = [
        node
        for node in onnx.load_from_string(bundle.head(bundle.manifest.default_head)).graph.node
        if node.op_type.startswith("TreeEnsemble")
    ]
    [ids] = [attribute.ints for attribute in ensemble.attribute if attribute.name == "nodes_treeids"]
    assert len(set(ids)) == trees
    assert grow(base, embedding, labels, trees, Store(tmp_path / "grown")) == path
