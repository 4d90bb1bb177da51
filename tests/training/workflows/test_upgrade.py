"""`training.workflows.upgrade`: other precisions for a bundle that there is, whose network and head stay as they
are."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from models.bundle.golden import verify
from models.bundle.loading import Bundle
from models.bundle.store import DEFAULT_ROOT, Store
from tests.tiny_bundle import tiny_bundle
from tests.training.squares import squares
from tests.training.workflows.still_network import Still, plan_of
from tests.training.worlds import training_data
from training.data import fashion_mnist
from training.exceptions import DataError, ExportError
from training.network.network import EmbeddingNetwork
from training.quantization.precision_trial import OTHERS
from training.stages.head_plan import HeadPlan
from training.stages.model_selection import select_head
from training.workflows.transfer import transfer
from training.workflows.upgrade import out_of_fold, upgrade

DATASET = squares(90)


@pytest.fixture(scope="module")
def store(transferred: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(transferred, tmp_path_factory.mktemp("upgrade") / "copy")


@pytest.fixture(scope="module")
def bundle(store: Path) -> Bundle:
    return Bundle.open(store / "store" / "squares" / "1")


@pytest.fixture(scope="module")
def halved(bundle: Bundle, store: Path) -> Bundle:
    return Bundle.open(upgrade(bundle, DATASET, ["fp16"], store / "store"))


def test_the_next_version_is_written_and_not_promoted(halved: Bundle, store: Path) -> None:
    assert halved.path == store / "store" / "squares" / "2"
    assert Store(store / "store").champion("squares") == 1
    verify(halved)


def test_network_head_and_golden_results_are_the_same_bytes(bundle: Bundle, halved: Bundle) -> None:
    names = ["embedder.onnx", "head-category.onnx", "golden/embedding.npy", "golden/probabilities-category.npy"]
    names += [name for name in bundle.files if name.endswith(".png")]
    for name in names:
        assert halved.files[name] == bundle.files[name], name
    assert halved.manifest.default_head == bundle.manifest.default_head


def test_precisions_of_before_give_way_to_those_asked_for(halved: Bundle) -> None:
    assert halved.manifest.precisions == ("fp32", "fp16")
    assert "embedder.int8.onnx" not in halved.files
    assert "golden/embedding.int8.npy" not in halved.files
    assert "golden/embedding.fp16.npy" in halved.files


def test_the_manifest_says_what_it_was_made_of(bundle: Bundle, halved: Bundle) -> None:
    assert halved.manifest.training == {**bundle.manifest.training, "network and head of": "squares@1"}
    assert [variant.precision for variant in halved.manifest.variants] == ["fp32", "fp16"]
    assert set(halved.manifest.golden.embedding_tolerance) == {"fp32", "fp16"}


def test_the_report_is_of_the_new_version(halved: Bundle) -> None:
    page = halved.files["report.html"].decode()
    assert "squares@2" in page
    assert "Precisions of the embedder" in page


def test_other_images_are_refused(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="squares@1 was made of other images than these; give the same data"):
        upgrade(bundle, squares(90, seed=1), OTHERS, tmp_path)


def test_another_number_of_images_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="made of 66 train, 6 validation, 18 test images, not 42 train"):
        upgrade(bundle, squares(60), OTHERS, tmp_path)


def test_a_bundle_that_does_not_say_how_its_data_were_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="tiny@1 does not say how its data were split"):
        upgrade(Bundle.open(tiny_bundle(tmp_path)), DATASET, OTHERS, tmp_path)


class Smooth(Still):
    """Ends with an operator that 8 bits have no rule for."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.sigmoid(self.network.features(self.network.normalize(images))).mean((2, 3))


@pytest.mark.slow
def test_where_nothing_is_worth_keeping_nothing_is_written(network: EmbeddingNetwork, tmp_path: Path) -> None:
    bundle = Bundle.open(transfer(DATASET, Smooth(network).eval(), plan_of(tmp_path, 5)))
    assert bundle.manifest.precisions == ("fp32", "fp16")
    with pytest.raises(
        ExportError, match=r"no other precision of squares@1 is worth keeping; int8: 8 bits: .* Sigmoid"
    ):
        upgrade(bundle, DATASET, ["int8"], tmp_path / "store")
    assert Store(tmp_path / "store").versions("squares") == [1]


@pytest.mark.slow
def test_the_default_bundle_gains_int8_within_its_accuracy(tmp_path: Path) -> None:
    if not fashion_mnist.DEBIAN_FOLDER.is_dir():
        pytest.skip("the data set is not installed: Debian's package dataset-fashion-mnist")
    bundle = Bundle.open(Store(DEFAULT_ROOT).path("fashion-mnist"))
    upgraded = Bundle.open(upgrade(bundle, fashion_mnist.load(), OTHERS, tmp_path))
    verify(upgraded)
    print([variant.model_dump() for variant in upgraded.manifest.variants])
    assert upgraded.manifest.precisions == ("fp32", "int8", "fp16")


@pytest.mark.parametrize("is_log", [False, True], ids=["as they are", "logarithms"])
def test_the_head_that_judges_names_numbers_as_the_head_of_the_bundle_does(is_log: bool, tmp_path: Path) -> None:
    data = training_data("both", 100, tmp_path, tested=20)
    selection = select_head(
        data, HeadPlan("linear_regression", examples=0, target_transform="log" if is_log else "none")
    )
    plain = Bundle.open(tiny_bundle(tmp_path)).manifest
    manifest = plain.model_copy(update={"training": {"seed": 0, **selection.as_settings()}})
    held_out = out_of_fold(selection.head, data, manifest)
    np.testing.assert_allclose(held_out.answers, selection.candidates[0].answers, rtol=1e-5)
