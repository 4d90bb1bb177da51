"""`training.export.bundle_files`: the golden files and what the manifest says of them."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest

from models.bundle.head_spec import HeadSpec
from models.bundle.input_spec import InputSpec
from models.imaging.decode import decode
from models.runtime.head_sessions import Head, OutlierDetector
from models.runtime.sessions import Embedder, cpu_session
from tests.training.conftest import boosted
from tests.training.squares import CLASSES, squares
from training.data.dataset import Dataset
from training.export.bundle_files import choose_golden, encode_png, golden_files, golden_spec, library_versions
from training.export.exported_head import ExportedHead
from training.heads.graphs.head_export import export_head
from training.policy.outlier_detection import export_outlier_model, fit_outlier_model
from training.quantization.variants import to_fp16


def test_golden_images_are_sixteen_and_of_every_class() -> None:
    dataset = squares(90)
    chosen = choose_golden(dataset, np.arange(30, 90))
    assert len(set(chosen.tolist())) == 16
    assert sorted(np.bincount(dataset.labels[chosen]).tolist()) == [5, 5, 6]
    assert chosen.min() >= 30


def test_a_rare_class_is_made_up_for_by_the_others() -> None:
    dataset = squares(90)
    candidates = np.array([0, *range(1, 90, 3)])
    chosen = choose_golden(dataset, candidates)
    assert np.bincount(dataset.labels[chosen]).tolist() == [1, 15]


def test_fewer_candidates_are_all_taken_in_the_order_given() -> None:
    dataset = squares(9)
    assert choose_golden(dataset, np.array([4, 1, 0])).tolist() == [0, 4, 1]


def test_more_classes_than_golden_images_give_one_each() -> None:
    dataset = replace(squares(60), labels=np.arange(60) % 20, classes=tuple(map(str, range(20))))
    chosen = choose_golden(dataset, np.arange(60))
    assert len(set(dataset.labels[chosen].tolist())) == 16


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_gives_the_very_pixels_back(channels: Literal[1, 3]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 7, channels), dtype=np.uint8)
    spec = InputSpec(height=5, width=7, channels=channels)
    np.testing.assert_array_equal(decode(encode_png(image), spec), image)


def test_golden_files_hold_what_the_graphs_compute(dataset: Dataset, embedder: Embedder, embedder_graph: bytes) -> None:
    spec = HeadSpec(name="colour", kind="hist_gradient_boosting", classes=CLASSES)
    embedding = embedder(dataset.images)
    graph = export_head(boosted(embedding, dataset.labels), spec, embedding)
    familiar = fit_outlier_model(embedding, dataset.labels, seed=0)
    novelty = OutlierDetector(cpu_session(export_outlier_model(familiar, embedding, "novelty-colour.onnx")))
    head = ExportedHead(spec, Head(cpu_session(graph), spec), novelty, {})
    halved = to_fp16(embedder_graph)
    files = golden_files(dataset.images[:3], {"fp32": embedder_graph, "fp16": halved}, head)
    names = ("distance-colour", "embedding.fp16", "embedding", "probabilities-colour")
    assert sorted(files) == [
        *(f"golden/{index:02d}.png" for index in range(3)),
        *(f"golden/{name}.npy" for name in names),
    ]
    recorded = {name: np.load(io.BytesIO(files[f"golden/{name}.npy"])) for name in names}
    np.testing.assert_array_equal(recorded["embedding"], embedding[:3])
    np.testing.assert_array_equal(recorded["embedding.fp16"], Embedder(cpu_session(halved))(dataset.images[:3]))
    np.testing.assert_array_equal(recorded["probabilities-colour"], head.head(embedding[:3]))


def test_the_manifest_names_count_and_tolerances() -> None:
    spec = golden_spec(7, ["fp32", "int8"])
    assert spec.count == 7
    assert set(spec.embedding_tolerance) == {"fp32", "int8"}
    assert 0 < spec.embedding_tolerance["fp32"] <= 1e-3
    assert 0 < spec.probability_tolerance <= 1e-3


def test_the_libraries_that_made_the_bundle_are_named() -> None:
    versions = library_versions()
    assert {"torch", "scikit-learn", "onnxruntime"} <= set(versions)
    assert all(version[0].isdigit() for version in versions.values())
