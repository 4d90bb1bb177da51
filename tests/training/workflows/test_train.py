"""`training.workflows.train`: a whole training, from pixels to a bundle that passes its own check."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest

from models.bundle.golden import verify
from models.bundle.loading import Bundle
from models.bundle.manifest import EMBEDDER_FILES
from models.bundle.store import Store
from models.policy import NEVER
from models.runtime.head_sessions import Head
from models.runtime.sessions import Embedder, cpu_session
from tests.training.squares import CLASSES, TINY, signal_when_there, squares
from training.clean.copies.perceptual_hash import hash_images
from training.data.seen_images import find_seen
from training.data.split import split
from training.network.presets import CHECKPOINT
from training.stages.head_plan import HeadPlan
from training.workflows.train import TrainPlan, train

DATASET = squares(60, size=16)


def plan(folder: Path, *, resume: bool = False) -> TrainPlan:
    return TrainPlan(
        hyperparameters=TINY,
        preset="quick",
        store=folder / "store",
        work=folder / "work",
        head=HeadPlan("hist_gradient_boosting", seed=3, thumbnails=True),
        resume=resume,
        cache=folder / "cache",
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Bundle:
    return Bundle.open(train(DATASET, plan(folder)))


def test_the_bundle_passes_its_golden_check_and_is_the_champion(bundle: Bundle, folder: Path) -> None:
    verify(bundle)
    assert bundle.path == folder / "store" / "squares" / "1"
    assert Store(folder / "store").champion("squares") == 1


def test_the_bundle_is_right_on_the_test_images(bundle: Bundle) -> None:
    test = split(DATASET, 3).test
    (spec,) = bundle.manifest.heads
    embedding = Embedder(cpu_session(bundle.embedder("fp32")))(DATASET.images[test])
    probabilities = Head(cpu_session(bundle.head(spec)), spec)(embedding)
    accuracy = float((probabilities.argmax(1) == DATASET.labels[test]).mean())
    assert accuracy >= 0.9
    assert spec.metrics["test_accuracy"] == pytest.approx(accuracy, abs=1e-6)


def test_the_manifest_says_what_was_done(bundle: Bundle) -> None:
    manifest = bundle.manifest
    assert (manifest.model, manifest.task, manifest.embedding_width) == ("squares@1", "classification", 8)
    assert manifest.input == DATASET.input
    assert manifest.data_fingerprint == DATASET.fingerprint()
    assert manifest.golden.count == len(bundle.golden_images()) == 16
    assert manifest.training["images"] == {"train": 42, "validation": 6, "test": 12}
    assert manifest.training["recipe"] == TINY.as_settings()
    assert (manifest.training["preset"], manifest.training["seed"]) == ("quick", 3)
    assert {"fit the network", "export the embedder", "fit the heads", "evaluate"} <= set(manifest.training["seconds"])
    assert "torch" in manifest.libraries


def test_the_head_has_its_classes_its_policy_and_its_figures(bundle: Bundle) -> None:
    head = bundle.manifest.default_head
    assert (head.name, head.kind, head.classes) == ("category", "hist_gradient_boosting", CLASSES)
    assert head.policy.min_confidence == NEVER, "6 held-out images show nothing"
    rivals = {"test_accuracy_cnn_softmax", "test_accuracy_logistic_regression"}
    assert rivals | {"test_accuracy", "test_accuracy_with_copies", "balanced_accuracy", "promise"} <= set(head.metrics)
    assert bundle.manifest.training["judged on"] == 6
    assert "the network was fitted on the others" in bundle.manifest.training["why fewer judge"]


def test_the_bundle_knows_the_images_that_its_network_was_fitted_on(bundle: Bundle) -> None:
    parts = split(DATASET, 3)
    found = find_seen(bundle, hash_images(DATASET.images))
    assert found[parts.train].all()
    assert not found[np.concatenate([parts.validation, parts.test])].any()


def test_every_precision_is_told_of_and_those_kept_are_there(bundle: Bundle) -> None:
    manifest = bundle.manifest
    assert [variant.precision for variant in manifest.variants] == ["fp32", "int8", "fp16"]
    for variant in manifest.variants:
        assert variant.kept == (variant.precision in manifest.precisions) == (not variant.reason)
        assert variant.kept == (EMBEDDER_FILES[variant.precision] in bundle.files)
        assert variant.kept == (variant.precision in manifest.golden.embedding_tolerance)
        assert {"held_out_accuracy", "held_out_log_loss", "ms_per_image", "size_bytes"} <= set(variant.metrics)
        assert variant.kept == ("test_accuracy" in variant.metrics)


def test_the_report_lies_in_the_bundle(bundle: Bundle) -> None:
    page = bundle.files["report.html"].decode()
    assert "squares@1" in page
    for row in ("CNN softmax", "logistic regression on the embedding", "gradient boosting on the embedding"):
        assert row in page


def test_the_checkpoint_is_removed(bundle: Bundle, folder: Path) -> None:
    assert not (folder / "work").exists()


def test_interrupted_and_resumed_it_gives_the_same_bundle(bundle: Bundle, tmp_path: Path) -> None:
    checkpoint = tmp_path / "work" / CHECKPOINT
    with pytest.raises(KeyboardInterrupt), signal_when_there(checkpoint, signal.SIGINT):
        train(DATASET, plan(tmp_path))
    again = Bundle.open(train(DATASET, plan(tmp_path, resume=True)))
    assert again.manifest.default_head == bundle.manifest.default_head
    for name in ("golden/embedding.npy", "golden/probabilities-category.npy"):
        assert again.files[name] == bundle.files[name]


def test_two_images_a_class_are_enough_and_all_is_left_to_a_person(tmp_path: Path) -> None:
    bundle = Bundle.open(train(squares(6, size=8), plan(tmp_path)))
    verify(bundle)
    head = bundle.manifest.default_head
    assert head.policy.min_confidence == NEVER
    assert head.metrics["promise"] == {"target": 0.99, "confidence": 0.95, "judged_on": 0, "shown": False}


def test_a_store_that_cannot_be_written_stops_it_before_it_starts(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    with pytest.raises(FileExistsError):
        train(DATASET, plan(tmp_path))
    assert not (tmp_path / "work").exists()
