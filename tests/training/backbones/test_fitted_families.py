"""A fitted network of each of five families, from its checkpoint to a server in each precision."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("transformers", reason="the extra huggingface is not installed")

from torch import nn

from models.bundle.loading import Bundle
from models.bundle.store import Store
from models.runtime.head_sessions import Head
from models.runtime.sessions import cpu_session
from tests.chaos.rig.servers import serving
from tests.training.backbones.checkpoints import save
from training.backbones.backbone import Backbone
from training.backbones.names import load_backbone
from training.data import fashion_mnist
from training.data.dataset import Dataset
from training.data.images import Encoded
from training.quantization import variants
from training.stages.head_plan import HeadPlan
from training.tuning.tuning_plan import TuningPlan
from training.workflows.transfer import TransferPlan, transfer

FITTED = ("dinov2", "siglip", "vit", "convnextv2", "mobilenet_v2")
ROWS, EPOCHS, TEST, ASKED = 6000, 8, 10_000, 500
PRECISIONS = ("fp32", "int8", "fp16")


@pytest.fixture(scope="module", params=FITTED)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def fitted(family: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Backbone, Dataset]:
    """A checkpoint that was fitted to clothes, and clothes that it has not seen."""
    if not fashion_mnist.DEBIAN_FOLDER.is_dir():
        pytest.skip("the data set is not installed: Debian's package dataset-fashion-mnist")
    folder = save(tmp_path_factory.mktemp(family), family)
    backbone = load_backbone(f"hf:{folder}")
    spec = backbone.input.model_copy(update={"background": fashion_mnist.BACKGROUND})
    dataset = fashion_mnist.stream(name="clothes", spec=spec)
    _fit(backbone, dataset, folder)
    assert dataset.official_test is not None
    unseen = np.concatenate([np.arange(ROWS, 2 * ROWS), dataset.official_test])
    return load_backbone(f"hf:{folder}"), _part(dataset, unseen)


def _fit(backbone: Backbone, dataset: Dataset, folder: Path) -> None:
    """Fits the network to the first rows, and saves its model in place of the one that was never fitted."""
    torch.manual_seed(0)
    network = backbone.network.train()
    pixels, labels = torch.from_numpy(dataset.images[np.arange(ROWS)]), torch.from_numpy(dataset.labels[:ROWS])
    with torch.no_grad():
        width = network(pixels[:2]).shape[1]
    head = nn.Linear(width, len(dataset.classes))
    weights = [*network.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=2e-3)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=EPOCHS * (ROWS // 64))
    for _ in range(EPOCHS):
        for rows in torch.randperm(ROWS).split(64)[: ROWS // 64]:
            optimizer.zero_grad()
            nn.functional.cross_entropy(head(network(pixels[rows])), labels[rows]).backward()
            optimizer.step()
            scheduler.step()
    network.eval().get_submodule("model").save_pretrained(folder)  # type: ignore[operator]


def _part(dataset: Dataset, positions: np.ndarray) -> Dataset:
    assert isinstance(dataset.images, Encoded)
    assert dataset.official_test is not None
    return replace(
        dataset,
        images=Encoded(dataset.images.read, dataset.images.positions[positions], dataset.input),
        labels=dataset.labels[positions],
        official_test=np.flatnonzero(np.isin(positions, dataset.official_test)),
        keys=tuple(dataset.keys[position] for position in positions) if dataset.keys else (),
    )


@pytest.fixture(scope="module")
def store(fitted: tuple[Backbone, Dataset], tmp_path_factory: pytest.TempPathFactory) -> Path:
    backbone, dataset = fitted
    folder = tmp_path_factory.mktemp("store")
    plan = TransferPlan(folder, backbone.name, HeadPlan("logistic_regression"), folder / "cache", TuningPlan("off"))
    with pytest.MonkeyPatch.context() as patch:  # networks as small as these may be slower in int8, and so not keep it
        patch.setattr(variants, "time_alone_ms", lambda sessions, _: {each: each != "int8" for each in sessions})
        transfer(dataset, backbone.network, plan)
    return folder


@pytest.mark.slow
def test_int8_is_within_half_a_point_and_every_precision_is_kept(family: str, store: Path) -> None:
    manifest = Bundle.open(Store(store).path("clothes")).manifest
    figures = {each.precision: each.metrics for each in manifest.variants}
    accuracy = {precision: _accuracy(found) for precision, found in figures.items()}
    on_test = {precision: found["test_accuracy"] for precision, found in figures.items()}
    print(f"{family}: {json.dumps(accuracy)}, on the test images alone {json.dumps(on_test)}")
    assert accuracy["fp32"] > 0.75
    assert manifest.precisions == PRECISIONS
    assert min(accuracy.values()) >= accuracy["fp32"] - 0.005


def _accuracy(figures: Mapping[str, float]) -> float:
    """On the images that the network has not seen, the head's out-of-fold answers among them."""
    held_out, test = figures["held_out_accuracy"], figures["test_accuracy"]
    return round((ROWS * held_out + TEST * test) / (ROWS + TEST), 5)


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_server_names_the_class_that_torch_names(
    fitted: tuple[Backbone, Dataset], store: Path, precision: str, tmp_path: Path
) -> None:
    backbone, dataset = fitted
    bundle = Bundle.open(Store(store).path("clothes"))
    assert isinstance(dataset.images, Encoded)
    assert dataset.official_test is not None
    asked = dataset.official_test[:ASKED]
    with torch.no_grad():
        embedding = backbone.network(torch.from_numpy(dataset.images[asked])).numpy()
    (spec,) = bundle.manifest.heads
    expected = Head(cpu_session(bundle.head(spec)), spec)(embedding).argmax(1)
    with serving(tmp_path, store / "clothes", workers=1, precision=precision) as server:
        answers = [
            server.predict(dataset.images.read(int(dataset.images.positions[at]))).document["label"] for at in asked
        ]
    same = float(np.mean(np.array(answers) == np.array(spec.classes)[expected]))
    print(f"{spec.kind} in {precision}: the same class for {same:.4f} of {len(asked)} images")
    assert same >= {"fp32": 0.999, "fp16": 0.99, "int8": 0.95}[precision]
