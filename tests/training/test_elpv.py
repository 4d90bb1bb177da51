"""Real solar cells: a promise on a few hundred photographs of a hard task is kept on others. See `docs/elpv.md`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

from models.runtime.embedding_files import EmbeddingCache
from models.runtime.sessions import Embedder, cpu_session
from tools.elpv_table import find_data, write_table
from training.backbones.names import DEFAULT, load_backbone
from training.data.dataset import Dataset
from training.export.network_export import export_embedder
from training.network.embedding_cache import embed_all
from training.policy.policies import PolicyTargets
from training.stages.evaluation import evaluate
from training.stages.head_plan import HeadPlan
from training.stages.model_selection import select_head
from training.stages.prepare import prepare
from training.stages.training_data import Embedded, label_embeddings
from training.tables.table import TableLayout, read
from training.tables.tabular import stream

SEEDS, TARGET = range(5), 0.95


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    source = find_data()
    if source is None:
        pytest.skip("the package elpv-dataset is not installed")
    folder = tmp_path_factory.mktemp("elpv")
    table = read(write_table(source, folder), TableLayout(image="image", label="defect", columns=("cell",)))
    return stream(table, name="elpv", spec=load_backbone(DEFAULT).input)


@pytest.mark.slow
def test_the_promise_is_kept_on_the_test_images(cells: Dataset, tmp_path: Path) -> None:
    network = load_backbone(DEFAULT).network
    graph = export_embedder(network, network.classifier, cells.images[np.arange(32)])
    cache = EmbeddingCache(tmp_path, graph, cells.input)
    embedding = embed_all(cache, Embedder(cpu_session(graph, threads=2)), cells)
    accuracy, accepted, right, false_alarms, refuted = [], [], [], [], 0
    for seed in SEEDS:
        data = label_embeddings(prepare(cells, seed, tmp_path), Embedded(embedding, cache), seed=seed)
        plan = HeadPlan("logistic_regression", targets=PolicyTargets(target_precision=TARGET), examples=0, seed=seed)
        found = evaluate(select_head(data, plan).head, data, {}).without_copies()
        hits, taken = found.answers.argmax(1) == found.labels, found.accepted
        accuracy.append(hits.mean())
        accepted.append(taken.mean())
        right.append(hits[taken].mean())
        false_alarms.append(found.outliers.mean())
        refuted += binom.cdf(hits[taken].sum(), taken.sum(), TARGET) < 0.05
        print(
            f"seed {seed}: {len(hits)} test images, accuracy {accuracy[-1]:.3f}, accepted {accepted[-1]:.3f}, of these "
            f"right {right[-1]:.3f}, false alarms {false_alarms[-1]:.3f}"
        )
    print(
        f"mean accuracy {np.mean(accuracy):.3f}, accepted {np.mean(accepted):.3f}, right {np.mean(right):.3f}; at "
        f"least {TARGET} right with {np.sum(np.array(right) >= TARGET)} of {len(SEEDS)} seeds, refuted with {refuted}"
    )
    assert min(accepted) > 0.3
    assert np.mean(accuracy) >= 0.85
    assert max(false_alarms) <= 0.05
    assert np.mean(right) >= TARGET
    assert refuted <= 1
