"""`training.workflows.transfer`: a head on a network that stays as it is, from images to a bundle that passes its own
check."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from models.bundle.golden import verify
from models.bundle.loading import Bundle
from models.bundle.store import Store
from models.policy import NEVER
from models.runtime.head_sessions import Head
from models.runtime.sessions import Embedder, cpu_session
from tests.training.squares import CLASSES, squares, write_image
from tests.training.tuning.networks import Convolutions, stripes
from tests.training.workflows.still_network import Still, plan_of
from training.data.dataset import Dataset
from training.data.images import Encoded, Indices
from training.data.seen_images import SEEN
from training.data.split import split
from training.exceptions import DataError
from training.export.bundle_files import encode_png
from training.network.network import EmbeddingNetwork
from training.policy.policies import PolicyTargets
from training.stages.head_plan import HeadPlan
from training.tuning.tune import Frozen, Tuned
from training.tuning.tuned_network import TunedNetwork
from training.tuning.tuning_plan import TuneOption, TuningPlan
from training.workflows.transfer import transfer

ROOT = Path(__file__).parents[3]
DATASET = squares(90)


@pytest.fixture(scope="module")
def store(transferred: Path) -> Path:
    return transferred


@pytest.fixture(scope="module")
def bundle(store: Path) -> Bundle:
    return Bundle.open(store / "store" / "squares" / "1")


def test_the_bundle_passes_its_golden_check_and_is_the_champion(bundle: Bundle, store: Path) -> None:
    verify(bundle)
    assert Store(store / "store").champion("squares") == 1


def test_the_manifest_says_what_was_done(bundle: Bundle) -> None:
    manifest = bundle.manifest
    assert (manifest.model, manifest.embedding_width) == ("squares@1", 160)
    assert manifest.data_fingerprint == DATASET.fingerprint()
    assert (manifest.training["network"], manifest.training["seed"]) == ("still, never fitted", 3)
    assert manifest.training["images"] == {"train": 66, "validation": 6, "test": 18}
    head = manifest.default_head
    assert (head.kind, head.classes) == ("logistic_regression", CLASSES)
    figures = {"test_accuracy", "test_log_loss", "test_macro_log_loss", "test_ece", "test_accuracy_with_copies"}
    figures |= {"balanced_accuracy", "precision", "recall", "support", "promise", "test_accepted"}
    assert set(head.metrics) - {"test_accepted_accuracy"} == figures
    assert head.metrics["support"] == {"blue": 6, "green": 6, "red": 6}
    told = manifest.training
    assert (told["judged on"], told["judged by"], told["chosen by"]) == (
        72,
        "out-of-fold answers",
        "out-of-fold log loss",
    )
    assert told["test images"] == "final figures; they chose nothing"


def test_it_promises_what_all_images_but_those_of_the_test_show(bundle: Bundle) -> None:
    """72 held-out images without an error show no precision of 0.99, which takes 299."""
    head = bundle.manifest.default_head
    assert head.metrics["promise"] == {"target": 0.99, "confidence": 0.95, "judged_on": 72, "shown": False}
    assert head.policy.min_confidence == NEVER
    assert head.metrics["test_accepted"] == 0


@pytest.mark.slow
def test_a_target_within_reach_is_promised(network: EmbeddingNetwork, tmp_path: Path) -> None:
    plan = replace(
        plan_of(tmp_path, 3), head=HeadPlan("logistic_regression", targets=PolicyTargets(target_precision=0.9), seed=3)
    )
    head = Bundle.open(transfer(DATASET, Still(network).eval(), plan)).manifest.default_head
    assert head.metrics["promise"]["shown"] is True
    assert head.metrics["test_accepted"] > 0.5
    assert head.metrics["test_accepted_accuracy"] >= 0.9


def test_every_precision_is_told_of_and_float32_is_what_the_head_was_measured_on(bundle: Bundle) -> None:
    variants = {variant.precision: variant for variant in bundle.manifest.variants}
    assert list(variants) == ["fp32", "int8", "fp16"]
    assert variants["fp32"].metrics["test_accuracy"] == bundle.manifest.default_head.metrics["test_accuracy"]


def test_the_bundle_is_right_on_the_test_images(bundle: Bundle) -> None:
    test = split(DATASET, 3).test
    (spec,) = bundle.manifest.heads
    embedding = Embedder(cpu_session(bundle.embedder("fp32")))(DATASET.images[test])
    probabilities = Head(cpu_session(bundle.head(spec)), spec)(embedding)
    accuracy = float((probabilities.argmax(1) == DATASET.labels[test]).mean())
    assert accuracy >= 0.9
    assert spec.metrics["test_accuracy"] == pytest.approx(accuracy, abs=1e-6)


def test_the_report_has_the_choice_of_the_head_and_no_training(bundle: Bundle) -> None:
    page = bundle.files["report.html"].decode()
    assert "Choice of the head" in page
    assert "72" in page
    assert "Training of the network" not in page


@pytest.mark.slow
def test_streamed_images_give_the_same_head(bundle: Bundle, network: EmbeddingNetwork, tmp_path: Path) -> None:
    pixels = np.asarray(DATASET.images)
    images = Encoded(lambda position: encode_png(pixels[position]), np.arange(90), DATASET.input)
    plan = plan_of(tmp_path, 3)
    streamed = Bundle.open(transfer(replace(DATASET, images=images), Still(network).eval(), plan))
    assert streamed.manifest.default_head == bundle.manifest.default_head
    assert streamed.manifest.data_fingerprint == bundle.manifest.data_fingerprint
    assert streamed.files["head-category.onnx"] == bundle.files["head-category.onnx"]


@pytest.mark.slow  # `test_train.py` shows the same in the quick suite
def test_two_images_a_class_are_enough(network: EmbeddingNetwork, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, 0)
    bundle = Bundle.open(transfer(squares(6), Still(network).eval(), plan))
    verify(bundle)
    assert bundle.manifest.default_head.policy.min_confidence == NEVER


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of 60 JPEG files of 640x427 each: stripes that lie and stripes that stand."""
    folder = tmp_path_factory.mktemp("photos")
    dice = np.random.default_rng(0)
    for index in range(60):
        stripes = np.sin(np.arange(640) / dice.uniform(3, 12) + dice.uniform(0, 6))[:427, None] * np.ones((427, 640))
        standing = np.sin(np.arange(640) / dice.uniform(3, 12) + dice.uniform(0, 6))[None] * np.ones((427, 640))
        for name, wave in (("lying", stripes), ("standing", standing)):
            noisy = 127 + 60 * wave[..., None] + dice.normal(0, 20, (427, 640, 3))
            write_image(folder / name / f"{index}.jpg", noisy.clip(0, 255).astype(np.uint8), quality=85)
    return folder


@pytest.mark.slow
def test_the_pretrained_network_tells_photos_apart_in_every_precision(photos: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training", "pretrained", str(photos), "--name", "stripes", "--out", "store"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    bundle = Bundle.open(tmp_path / "store" / "stripes" / "1")
    verify(bundle)
    print(json.dumps([variant.model_dump() for variant in bundle.manifest.variants]))
    assert bundle.manifest.precisions == ("fp32", "int8", "fp16")
    assert bundle.manifest.input.decoder == "fraction"
    assert all(variant.metrics["test_accuracy"] >= 0.95 for variant in bundle.manifest.variants)
    float32, int8, _ = bundle.manifest.variants
    assert int8.metrics["ms_per_image"] < 0.6 * float32.metrics["ms_per_image"]


@pytest.mark.parametrize("option", ["last", "auto"])
def test_a_tuned_network_is_served_with_the_images_that_it_has_seen(option: TuneOption, tmp_path: Path) -> None:
    dataset, network = stripes(330), Convolutions().eval()
    plan = replace(plan_of(tmp_path, 3), tuning=TuningPlan(option, 1.0))
    bundle = Bundle.open(transfer(dataset, network, plan))
    verify(bundle)
    told = bundle.manifest.training
    assert "than the frozen one: out-of-fold log loss" in told["tuning"]["result"]
    assert told["tuning"]["result"] in told["notes"]
    is_tuned = SEEN in bundle.files
    assert is_tuned or option == "auto"
    rivals = bundle.files["report.html"].decode()
    assert f"on the {'frozen' if is_tuned else 'tuned'} network" in rivals
    if is_tuned:
        assert told["judged on"] == 264 - told["tuning"]["images"]


def test_a_network_that_no_epoch_makes_better_stays_as_it_is(tmp_path: Path) -> None:
    def in_vain(frozen: Frozen, _: Dataset, usable: Indices, *__: object, **___: object) -> Tuned:
        width = frozen.embedding.shape[1]
        network = TunedNetwork(frozen.network, nn.Linear(width, 2), torch.rand(2, width))
        return Tuned(network, usable[:200], {"epochs": 0})

    plan = replace(plan_of(tmp_path, 3), tuning=TuningPlan("last", 1.0))
    bundle = Bundle.open(transfer(squares(330, size=16), Convolutions().eval(), plan, in_vain))
    assert SEEN not in bundle.files
    assert "no epoch of the tuning was better" in bundle.manifest.training["tuning"]["result"]


def test_tuning_that_was_asked_for_and_cannot_be_done_is_an_error(network: EmbeddingNetwork, tmp_path: Path) -> None:
    plan = replace(plan_of(tmp_path, 3), tuning=TuningPlan("last"))
    with pytest.raises(DataError, match="72 images besides those for the test are fewer than 200"):
        transfer(DATASET, Still(network).eval(), plan)
