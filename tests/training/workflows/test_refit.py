"""`training.workflows.refit`: heads come and go on one network, in seconds, and the others stay as they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.bundle.golden import verify
from models.bundle.loading import Bundle
from models.bundle.model_card import CARD
from models.bundle.store import Store
from models.columns import Column
from models.runtime.engine import Engine
from models.runtime.sessions import Embedder
from tests.tiny_bundle import COLUMNS, tiny_bundle
from tests.training.squares import squares
from tests.training.workflows.still_network import Still, plan_of
from training.data.dataset import Dataset
from training.exceptions import DataError
from training.network.embedding_cache import keys_of
from training.network.network import EmbeddingNetwork
from training.stages.head_plan import HeadPlan
from training.workflows.refit import RefitPlan, refit
from training.workflows.transfer import transfer

DATASET = squares(180)
WARM = ("warm", "cold")


def warmth(dataset: Dataset = DATASET) -> Dataset:
    """The same images in two classes: the first colour, and the others."""
    return replace(dataset, labels=(dataset.labels > 0).astype(np.int64), classes=WARM)


def priced(dataset: Dataset = DATASET) -> Dataset:
    """The same images with a number that colour and a column tell."""
    sizes = np.random.default_rng(0).uniform(1, 3, len(dataset.labels))
    return replace(
        dataset,
        labels=(10.0 + 5 * dataset.labels + 4 * sizes),
        classes=(),
        columns=(Column(name="size", type="number", low=1.0, high=3.0),),
        rows=[{"size": float(size)} for size in sizes],
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("refit")


@pytest.fixture(scope="module")
def bundle(network: EmbeddingNetwork, folder: Path) -> Bundle:
    return Bundle.open(transfer(DATASET, Still(network).eval(), plan_of(folder, 3)))


def fitted(bundle: Bundle, dataset: Dataset, folder: Path, name: str, kind: str) -> Bundle:
    plan = RefitPlan(HeadPlan(kind, name=name, seed=3, thumbnails=True), folder / "store", folder / "cache")
    return Bundle.open(refit(bundle, dataset, plan))


@pytest.fixture(scope="module")
def two(bundle: Bundle, folder: Path) -> Bundle:
    return fitted(bundle, warmth(), folder, "warmth", "decision_tree")


@pytest.fixture(scope="module")
def three(two: Bundle, folder: Path) -> Bundle:
    return fitted(two, priced(), folder, "price", "linear_regression")


def test_a_head_is_added_behind_the_others_which_stay_as_they_are(bundle: Bundle, two: Bundle, folder: Path) -> None:
    assert [head.name for head in two.manifest.heads] == ["category", "warmth"]
    assert two.manifest.default_head == bundle.manifest.default_head
    assert (two.manifest.model, two.path) == ("squares@2", folder / "store" / "squares" / "2")
    kept = set(bundle.files) - {"golden/columns.json", CARD}
    assert {name for name in kept if two.files[name] != bundle.files[name]} == set()
    assert set(two.files) - kept == {
        CARD,
        "head-warmth.onnx",
        "novelty-warmth.onnx",
        "golden/probabilities-warmth.npy",
        "golden/distance-warmth.npy",
        "report-warmth.html",
        "rows-warmth.npz",
        *(
            f"examples-warmth/{name}.npy"
            for name in ("answers", "baseline", "codes", "ends", "lows", "steps", "thumbnails")
        ),
    }


def test_it_is_measured_in_every_precision_that_a_cpu_computes(two: Bundle) -> None:
    metrics = two.manifest.heads[1].metrics
    assert metrics["test_accuracy"] >= 0.9
    assert ("test_accuracy_int8" in metrics) == ("int8" in two.manifest.precisions)
    told = two.manifest.training["heads"]["warmth"]
    assert told["images"] == {"train": 129, "validation": 15, "test": 36}


def test_the_champion_is_the_one_it_was(two: Bundle, folder: Path) -> None:
    assert Store(folder / "store").champion("squares") == 1


def test_a_column_that_another_head_requires_may_be_missing_in_the_table(three: Bundle, folder: Path) -> None:
    data = priced()
    gaps = [{"size": None} if position % 3 == 0 else row for position, row in enumerate(data.rows)]
    column = data.columns[0].model_copy(update={"required": False})
    found = fitted(three, replace(data, rows=gaps, columns=(column,)), folder, "gaps", "linear_regression")
    verify(found)
    assert [head.columns[0].required for head in found.manifest.heads[2:]] == [True, False]


def test_heads_of_classes_and_numbers_with_columns_serve_together(three: Bundle) -> None:
    verify(three)
    engine = Engine.load(three.path, device="cpu")
    assert list(engine.heads) == list(engine.explainers) == ["category", "warmth", "price"]
    price = three.manifest.heads[2]
    assert (price.task, price.classes, [column.name for column in price.columns]) == ("regression", (), ["size"])
    assert price.metrics["test_r2"] > 0.9
    assert "farthest off" in three.files["report-price.html"].decode()


def test_the_same_name_replaces_the_head_in_its_place(three: Bundle, folder: Path) -> None:
    again = fitted(three, DATASET, folder, "category", "decision_tree")
    assert [head.name for head in again.manifest.heads] == ["category", "warmth", "price"]
    assert again.manifest.default_head.kind == "decision_tree"
    assert again.files["report.html"] != three.files["report.html"]
    assert again.files["head-price.onnx"] == three.files["head-price.onnx"]
    assert again.golden_columns(again.manifest.heads[2]) == three.golden_columns(three.manifest.heads[2])


def test_no_image_is_embedded_or_decoded_a_second_time(
    two: Bundle, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> np.ndarray:
        raise AssertionError("an image was embedded again")

    monkeypatch.setattr(Embedder, "__call__", refuse)
    monkeypatch.setattr("training.workflows.next_version.verify", lambda _: None)  # which embeds the golden images
    unseen = replace(warmth(), images=Unseen())
    keys = replace(unseen, keys=keys_of(DATASET))
    plan = RefitPlan(
        HeadPlan("logistic_regression", name="again", seed=3, examples=0), folder / "other", folder / "cache"
    )
    manifest = Bundle.open(refit(two, keys, plan)).manifest
    assert [head.name for head in manifest.heads] == ["category", "warmth", "again"]
    assert manifest.heads[2].explain_rows == 0


class Unseen:
    """Images of which only the report's mistakes may be looked at."""

    shape = np.asarray(DATASET.images).shape

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, positions: np.ndarray) -> np.ndarray:
        assert len(positions) <= 24, "an image was decoded again"
        return np.asarray(DATASET.images)[positions]


def test_a_column_of_another_type_in_another_head_is_refused(tmp_path: Path) -> None:
    bundle = Bundle.open(tiny_bundle(tmp_path, heads={"priced": COLUMNS}))
    other = replace(warmth(), columns=(Column(name="shift", type="category", categories=("a",)),))
    with pytest.raises(DataError, match="column 'shift' is a category here and a number of head 'priced'; rename it"):
        refit(bundle, other, RefitPlan(HeadPlan("logistic_regression", name="x"), tmp_path / "store", tmp_path))
