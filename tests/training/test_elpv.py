"""Real solar cells: a promise on a few hundred photographs of a hard task is kept on others. See `docs/elpv.md`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from models.sessions import Embedder, cpu_session
from tools.elpv_table import find_data, write_table
from training.dataset import Dataset
from training.embedding_cache import EmbeddingCache, embed_all
from training.export import export_embedder
from training.policies import Aims
from training.prepare import prepare
from training.pretrained import INPUT, load_network
from training.results import evaluate
from training.table import Ask, read
from training.tabular import stream
from training.teach import HeadPlan, material_of, teach

SEEDS, TARGET = range(5), 0.95


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    source = find_data()
    if source is None:
        pytest.skip("the package elpv-dataset is not installed")
    folder = tmp_path_factory.mktemp("elpv")
    table = read(write_table(source, folder), Ask(image="image", label="defect", columns=("cell",)))
    return stream(table, name="elpv", spec=INPUT)


@pytest.mark.slow
def test_the_promise_is_kept_on_the_test_images(cells: Dataset, tmp_path: Path) -> None:
    network = load_network()
    graph = export_embedder(network, network.classifier, cells.images[np.arange(32)])
    cache = EmbeddingCache(tmp_path, graph, cells.input)
    embedding = embed_all(cache, Embedder(cpu_session(graph, threads=2)), cells)
    figures = []
    for seed in SEEDS:
        material = material_of(prepare(cells, seed, tmp_path), embedding, cache, seed=seed)
        plan = HeadPlan("logistic_regression", aims=Aims(target_precision=TARGET), examples=0, seed=seed)
        found = evaluate(teach(material, plan).head, material, {}).without_copies()
        hits = found.answers.argmax(1) == found.labels
        figures.append({
            "seed": seed,
            "test": len(hits),
            "accuracy": round(float(hits.mean()), 3),
            "accepted": round(float(found.accepted.mean()), 3),
            "right": round(float(hits[found.accepted].mean()), 3) if found.accepted.any() else None,
            "false alarms": round(float(found.unfamiliar.mean()), 3),
        })  # fmt: skip
        print(json.dumps(figures[-1]))
    assert all(each["accepted"] > 0 for each in figures)
    assert sum(each["right"] >= TARGET for each in figures) >= 4
    assert np.mean([each["accuracy"] for each in figures]) >= 0.85
    assert np.mean([each["false alarms"] for each in figures]) <= 0.05
