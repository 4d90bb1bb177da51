"""Rows of several photos, from a table to a bundle that a service answers with."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.bundle.golden import verify
from models.bundle.input_spec import InputSpec
from models.bundle.loading import Bundle
from models.bundle.manifest import SEQUENCE
from models.errors import BundleError
from models.pooling import Pooling
from models.runtime.engine import Engine
from models.runtime.engine_types import EngineInput, Instance
from models.runtime.sessions import Embedder, cpu_session
from tests.training.relearn.given_answers import answered
from tests.training.squares import CLASSES, squares, write_image
from tests.training.workflows.still_network import Still, plan_of
from training.data.dataset import Dataset
from training.exceptions import DataError
from training.network.network import EmbeddingNetwork
from training.stages.head_plan import HeadPlan
from training.tables import tabular
from training.tables.table import TableLayout, read
from training.tuning.tuning_plan import NotTunedError, TuneOption, TuningPlan
from training.workflows.refit import RefitPlan, refit
from training.workflows.relearn import RelearnPlan, relearn
from training.workflows.row_version import RowPlan, add_rows
from training.workflows.transfer import transfer

SPEC = InputSpec(height=8, width=8, channels=3)
THINGS = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 things in three classes, of one to three photos, and a table of them; the last two share a photo."""
    folder = tmp_path_factory.mktemp("things")
    images = squares(3 * THINGS).images
    lines = ["image,label,size"]
    for thing in range(THINGS):
        names = [f"{thing}-{number}.png" for number in range(1 + thing % 3)]
        for number, name in enumerate(names):
            write_image(folder / name, images[thing % 3 + 3 * (thing + THINGS * number) % (3 * THINGS)])
        if thing == THINGS - 1:
            names[0] = f"{thing - 3}-0.png"
        lines.append(f"{';'.join(names)},{CLASSES[thing % 3]},{thing % 7}")
    (folder / "table.csv").write_text("\n".join(lines))
    return folder


def things(folder: Path, layout: TableLayout | None = None) -> Dataset:
    return tabular.stream(read(folder / "table.csv", layout or TableLayout("image", "label")), name="things", spec=SPEC)


@pytest.fixture(scope="module")
def bundle(folder: Path, network: EmbeddingNetwork) -> Bundle:
    return Bundle.open(transfer(things(folder), Still(network).eval(), plan_of(folder, 3)))


def test_the_bundle_pools_and_passes_its_golden_check(bundle: Bundle) -> None:
    manifest = bundle.manifest
    verify(bundle)
    assert manifest.pooling[0] == "mean"
    assert manifest.instance_width == 160 * len(manifest.pooling)
    assert sum(manifest.training["images"].values()) == THINGS
    assert manifest.training["pooling"].startswith("the photos of a row are pooled by mean")
    assert manifest.training["pooling"] in manifest.training["notes"]
    assert manifest.training["tuning"]["result"] == "the network is not tuned: its images are photos of things"


def test_its_figures_are_of_pooled_rows_in_every_precision(bundle: Bundle) -> None:
    assert [variant.precision for variant in bundle.manifest.variants] == ["fp32", "int8", "fp16"]
    float32, *others = bundle.manifest.variants
    assert float32.metrics["test_accuracy"] == bundle.manifest.default_head.metrics["test_accuracy"] >= 0.9
    assert all(variant.metrics["held_out_accuracy"] >= 0.9 for variant in others)


def test_it_keeps_pooled_rows(bundle: Bundle, folder: Path) -> None:
    photos = things(folder).photos
    assert photos is not None
    embedding = Embedder(cpu_session(bundle.embedder("fp32")))(photos.images[np.arange(len(photos.images))])
    pooled = Pooling(bundle.manifest.pooling).each(embedding, photos.counts.tolist()).astype(np.float16)
    kept = bundle.kept_rows(bundle.manifest.default_head)
    assert kept is not None
    assert set(map(bytes, kept.embedding)) <= set(map(bytes, pooled))
    assert kept.unit[-1] == kept.unit[kept.unit == kept.unit[-1]][0]


def test_an_engine_opens_it(bundle: Bundle) -> None:
    engine = Engine.load(bundle.path, device="cpu")
    assert engine.explainers
    assert engine.manifest.default_head.outlier_file is not None


def test_things_that_share_a_photo_are_on_one_side(bundle: Bundle) -> None:
    kept = bundle.kept_rows(bundle.manifest.default_head)
    assert kept is not None
    _, counts = np.unique(kept.unit, return_counts=True)
    assert sorted(counts.tolist())[-1] == 2


def test_a_head_more_is_fitted_on_pooled_rows(bundle: Bundle, folder: Path) -> None:
    sized = things(folder, TableLayout("image", "size", task="regression"))
    plan = RefitPlan(HeadPlan("linear_regression", name="size", seed=3), folder / "store", folder / "cache")
    after = Bundle.open(refit(bundle, sized, plan))
    verify(after)
    assert [head.name for head in after.manifest.heads] == ["category", "size"]
    assert after.manifest.pooling == bundle.manifest.pooling


def test_a_head_on_one_image_a_row_is_fitted_on_instances_of_one(bundle: Bundle, folder: Path) -> None:
    plan = RefitPlan(HeadPlan("logistic_regression", name="alone", seed=3), folder / "alone", folder / "cache")
    verify(Bundle.open(refit(bundle, squares(90, seed=5), plan)))


def test_its_rows_can_be_kept_anew(bundle: Bundle, folder: Path) -> None:
    after = Bundle.open(
        add_rows(bundle, things(folder), RowPlan("category", 1 << 24, folder / "rows", folder / "cache"))
    )
    rows, before = (each.kept_rows(each.manifest.default_head) for each in (after, bundle))
    assert rows is not None
    assert before is not None
    np.testing.assert_array_equal(rows.embedding, before.embedding)


def test_answers_teach_its_head_again(bundle: Bundle, folder: Path) -> None:
    plan = RelearnPlan("category", folder / "store")
    after = Bundle.open(relearn(bundle, answered(bundle, squares(90, seed=5)), plan).path)
    verify(after)
    assert after.manifest.pooling == bundle.manifest.pooling


@pytest.mark.parametrize("do", ["head", "rows"])
def test_a_bundle_that_decides_on_one_image_refuses_several(do: str, folder: Path, transferred: Path) -> None:
    plain, dataset = Bundle.open(transferred / "store" / "squares" / "1"), things(folder)
    calls: dict[str, Callable[[], object]] = {
        "head": lambda: refit(plain, dataset, RefitPlan(HeadPlan("logistic_regression", name="new"), folder / "no")),
        "rows": lambda: add_rows(plain, dataset, RowPlan("category", 1 << 20, folder / "no", folder / "cache")),
    }
    with pytest.raises(DataError, match="squares@1 decides on one image, but rows of the table name several"):
        calls[do]()


@pytest.mark.parametrize("option", ["last", "lora", "all"])
def test_a_tuning_that_was_asked_for_is_refused_at_once(
    option: TuneOption, folder: Path, network: EmbeddingNetwork
) -> None:
    plan = replace(plan_of(folder, 3), tuning=TuningPlan(option))
    with pytest.raises(NotTunedError, match="the network is not tuned: its images are photos of things; leave out"):
        transfer(things(folder), Still(network).eval(), plan)


@pytest.fixture(scope="module")
def attentive(tmp_path_factory: pytest.TempPathFactory, network: EmbeddingNetwork) -> Bundle:
    """A bundle of things of which each has one photo of a square, and others of noise."""
    folder = tmp_path_factory.mktemp("attentive")
    images, random = squares(150).images, np.random.default_rng(0)
    lines = ["image,label"]
    for thing in range(150):
        photos = [images[thing], *random.integers(0, 256, (random.integers(1, 4), 8, 8, 3), dtype=np.uint8)]
        names = [f"{thing}-{number}.png" for number in range(len(photos))]
        for name, photo in zip(random.permutation(names).tolist(), photos, strict=True):
            write_image(folder / name, photo)
        lines.append(f"{';'.join(names)},{CLASSES[thing % 3]}")
    (folder / "table.csv").write_text("\n".join(lines))
    return Bundle.open(transfer(things(folder), Still(network).eval(), plan_of(folder, 3)))


def test_photos_that_say_nothing_weigh_little(attentive: Bundle) -> None:
    manifest = attentive.manifest
    assert manifest.pooling == ("attention",)
    assert manifest.default_head.metrics["test_accuracy"] >= 0.9
    verify(attentive)
    engine, square = Engine.load(attentive.path, device="cpu"), squares(150).images[0]
    noise = np.random.default_rng(1).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    photos = engine.run([EngineInput(image, {}) for image in (noise[0], square, noise[1])], [0.0] * 3)
    (result,) = engine.decide([Instance(photos, {"category": {}})], [0.0])
    effects = engine.explain(result, manifest.heads).explanations["category"]["images"]
    assert max(effects, key=lambda each: each["effect"])["index"] == 1


def test_a_bundle_without_its_weights_is_refused(attentive: Bundle, tmp_path: Path) -> None:
    copy = tmp_path / "1"
    shutil.copytree(attentive.path, copy)
    (copy / SEQUENCE).unlink()
    with pytest.raises(BundleError, match=r"sequence\.onnx: missing"):
        Bundle.open(copy)


def test_a_head_more_and_a_relearning_keep_the_weights(attentive: Bundle, tmp_path: Path) -> None:
    folder = attentive.path.parents[2]
    plan = RefitPlan(HeadPlan("logistic_regression", name="again", seed=3), tmp_path / "store", tmp_path / "cache")
    after = Bundle.open(refit(attentive, things(folder), plan))
    verify(after)
    assert after.files[SEQUENCE] == attentive.files[SEQUENCE]
    assert after.manifest.heads[1].metrics["test_accuracy"] >= 0.9
