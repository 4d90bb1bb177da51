"""The registry: every kind is fitted, exported, agrees with its library, and serves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.bundle.head_spec import HeadSpec
from models.bundle.loading import GOLDEN, Bundle
from models.bundle.store import Store
from models.columns import Column, ColumnValue
from models.errors import TandemError
from models.runtime.engine import Engine
from models.runtime.engine_types import Result
from models.runtime.head_sessions import Head
from models.runtime.sessions import Embedder, cpu_session
from service.api.body.bodies import Item
from service.inference.pipeline import Pipeline
from tests.service.inference.test_pipeline import asked, label, run
from tests.service.serving import BRIGHT, DARK
from tests.tiny_bundle import CLASSES, GREYS, npy, tiny_bundle
from tests.training.plain_source import plain_source
from training.exceptions import DataError
from training.export.agreement import agreement
from training.heads.features.encoding import Rows
from training.heads.fitted_head import FittedHead
from training.heads.graphs.head_export import export_head
from training.heads.head_fit import Fitting, HeadFit
from training.heads.kind import Size
from training.heads.labelled_embeddings import LabelledEmbeddings
from training.heads.registry import REGISTRY, classifiers, regressors
from training.heads.selection.search import fit_heads
from training.heads.sources import Source
from training.reports.evaluation_metrics import errors

COLUMNS = (
    Column(name="price", type="number", required=False, low=0.0, high=100.0),
    Column(name="shape", type="category", required=False, categories=("flat", "long", "round")),
    Column(name="is_new", type="boolean", required=False),
)


def embeddings_of(rows: int, classes: int = 3, *, seed: int = 0) -> LabelledEmbeddings:
    """Classes that overlap a little, in the embedding and in the columns."""
    random = np.random.default_rng(seed)
    labels = np.arange(rows) % classes
    centres = np.random.default_rng(99).normal(0, 1, (classes, 16))
    embedding = (centres[labels] + random.normal(0, 1, (rows, 16))).astype(np.float32)
    columns: list[dict[str, ColumnValue]] = [
        {
            "price": None if random.random() < 0.2 else float(random.normal(30 * label, 10)),
            "shape": None if random.random() < 0.2 else str(random.choice(["flat", "long", "round"])),
            "is_new": None if random.random() < 0.2 else bool(random.random() < label / classes),
        }
        for label in labels
    ]
    return LabelledEmbeddings(embedding, labels, columns)


def source_of(seen: LabelledEmbeddings, held_out: LabelledEmbeddings) -> Source:
    """Rows that are fitted on, and others that are held out."""
    return plain_source(held_out, np.zeros(len(held_out), np.int64), seen)


def head_of(
    kind: str, labelled: LabelledEmbeddings, columns: tuple[Column, ...], held_out: LabelledEmbeddings
) -> FittedHead:
    source, classes = source_of(labelled, held_out), int(labelled.labels.max()) + 1
    (best, *_) = fit_heads([REGISTRY[kind]], source, Fitting(classes, columns))
    return best.finished(source)


def spec_of(kind: str, columns: tuple[Column, ...], classes: int = 3) -> HeadSpec:
    return HeadSpec(name="category", kind=kind, classes=tuple("abc"[:classes]), columns=columns)


def test_there_are_eight_classifiers_and_two_more_with_extras() -> None:
    assert len([name for name in classifiers() if not REGISTRY[name].module]) == 8
    assert {kind.name for kind in REGISTRY.values() if kind.module} == {"xgboost", "lightgbm"} <= set(classifiers())
    assert len([name for name in regressors() if not REGISTRY[name].module]) >= 5


@pytest.mark.parametrize("columns", [(), COLUMNS], ids=["image alone", "with columns"])
@pytest.mark.parametrize("kind", classifiers())
def test_the_graph_answers_as_the_library_does(kind: str, columns: tuple[Column, ...]) -> None:
    labelled, held_out, fresh = embeddings_of(900), embeddings_of(450, seed=1), embeddings_of(2000, seed=2)
    head = head_of(kind, labelled, columns, held_out)
    spec = spec_of(kind, columns)
    head = Head.checked(cpu_session(export_head(head, spec, held_out.embedding, held_out.rows)), spec, 16)
    rows: Rows = fresh.rows if columns else ()
    expected, found = head(fresh.embedding, rows), head(fresh.embedding, rows)
    assert agreement(found, expected) >= 0.9995
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
    assert (found.argmax(1) == fresh.labels).mean() > 0.8


@pytest.mark.parametrize("kind", classifiers())
def test_two_classes_give_two_probabilities(kind: str) -> None:
    labelled, held_out = embeddings_of(200, 2), embeddings_of(100, 2, seed=1)
    spec = spec_of(kind, (), 2)
    graph = export_head(head_of(kind, labelled, (), held_out), spec, held_out.embedding)
    found = Head(cpu_session(graph), spec)(held_out.embedding)
    assert found.shape == (100, 2)
    assert (found.argmax(1) == held_out.labels).mean() > 0.8


@pytest.mark.parametrize("kind", classifiers())
def test_every_kind_serves(kind: str, tmp_path: Path) -> None:
    """On the tiny bundle's embedding, whose brightness tells the classes."""
    bundle = Bundle.open(tiny_bundle(tmp_path))
    embedder = Embedder(cpu_session(bundle.embedder("fp32")))
    greys = np.random.default_rng(0).integers(0, 256, 600).astype(np.uint8)
    embedding = embedder(np.broadcast_to(greys[:, None, None, None], (600, 8, 8, 1)).copy())
    labels = np.minimum(greys.astype(np.int64) * 3 // 256, 2)
    labelled, held_out = (
        LabelledEmbeddings(embedding[:400], labels[:400]),
        LabelledEmbeddings(embedding[400:], labels[400:]),
    )
    spec = HeadSpec(name="shade", kind=kind, classes=CLASSES)
    graph = export_head(head_of(kind, labelled, (), held_out), spec, held_out.embedding)
    engine = Engine.load(with_head(bundle, spec, graph, tmp_path), device="cpu")

    async def ask(pipeline: Pipeline) -> list[Result | TandemError]:
        return await asked(pipeline, [Item(BRIGHT, {}), Item(DARK, {})])

    assert [label(answer) for answer in run(engine, ask)] == ["bright", "dark"]


@pytest.mark.parametrize("kind", [name for name in regressors() if not REGISTRY[name].needs_columns])
def test_every_kind_for_numbers_serves(kind: str, tmp_path: Path) -> None:
    """On the tiny bundle's embedding: the brightness itself, in percent."""
    bundle = Bundle.open(tiny_bundle(tmp_path))
    embedder = Embedder(cpu_session(bundle.embedder("fp32")))
    sums = np.random.default_rng(0).permutation(np.arange(300) * 51)  # of 64 pixels: no two images are as bright
    images = (sums[:, None] // 64 + (np.arange(64) < sums[:, None] % 64)).astype(np.uint8).reshape(300, 8, 8, 1)
    embedding, percent = embedder(images), images.mean((1, 2, 3)) / 2.55
    labelled, held_out = (
        LabelledEmbeddings(embedding[:200], percent[:200]),
        LabelledEmbeddings(embedding[200:], percent[200:]),
    )
    spec = HeadSpec(name="shade", kind=kind, task="regression")
    source = source_of(labelled, held_out)
    head = fit_heads([REGISTRY[kind]], source, Fitting())[0].finished(source)
    engine = Engine.load(with_head(bundle, spec, export_head(head, spec, held_out.embedding), tmp_path), device="cpu")

    async def ask(pipeline: Pipeline) -> list[Result | TandemError]:
        return await asked(pipeline, [Item(BRIGHT, {}), Item(DARK, {})])

    bright, dark = (float(answer.decisions["shade"].output[0]) for answer in run(engine, ask))
    assert bright == pytest.approx(GREYS["bright"] / 2.55, abs=6)
    assert dark == pytest.approx(GREYS["dark"] / 2.55, abs=6)


def with_head(bundle: Bundle, spec: HeadSpec, graph: bytes, root: Path) -> Path:
    """The bundle's next version, with another head."""
    golden = Head(cpu_session(graph), spec)(bundle.golden_array("embedding"))
    files = {**bundle.files, spec.file: graph, f"{GOLDEN}/{spec.output}-{spec.name}.npy": npy(golden)}
    manifest = bundle.manifest.model_copy(update={"version": 2, "heads": (spec,)})
    return Store(root).add(manifest, files)


def numbers_of(rows: int, *, seed: int = 0) -> LabelledEmbeddings:
    """Prices that embedding and columns tell, in hundreds."""
    labelled = embeddings_of(rows, seed=seed)
    noise = np.random.default_rng(seed + 50).normal(0, 5, rows)
    beside = np.array([0.0 if row["price"] is None else float(row["price"]) for row in labelled.rows])
    return LabelledEmbeddings(labelled.embedding, 400 + 100 * labelled.embedding[:, 0] + beside + noise, labelled.rows)


@pytest.mark.parametrize(
    ("kind", "columns"),
    [pytest.param(kind, COLUMNS, id=f"{kind} with columns") for kind in regressors()]
    + [pytest.param(kind, (), id=f"{kind}, image alone") for kind in regressors() if not REGISTRY[kind].needs_columns],
)
def test_the_graph_names_the_numbers_that_the_library_does(kind: str, columns: tuple[Column, ...]) -> None:
    labelled, held_out, fresh = numbers_of(900), numbers_of(300, seed=1), numbers_of(1000, seed=2)
    source = source_of(labelled, held_out)
    best = fit_heads([REGISTRY[kind]], source, Fitting(columns=columns))[0]
    head = best.finished(source)
    spec = HeadSpec(name="price", kind=kind, task="regression", columns=columns)
    head = Head.checked(cpu_session(export_head(head, spec, held_out.embedding, held_out.rows)), spec, 16)
    rows: Rows = fresh.rows if columns else ()
    expected, found = head(fresh.embedding, rows), head(fresh.embedding, rows)
    assert found.shape == (1000, 1)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert errors(found, fresh.labels).r2 > (0.05 if REGISTRY[kind].needs_columns else 0.5)
    assert best.loss == errors(best.answers, held_out.labels).rmse


def test_a_kind_of_columns_alone_is_refused_where_there_are_none() -> None:
    labelled = numbers_of(100)
    with pytest.raises(DataError, match=r"^boosted_columns decides by columns alone, but there are none; name them"):
        fit_heads([REGISTRY["boosted_columns"]], source_of(labelled, labelled), Fitting())


def test_a_kind_for_classes_names_no_number() -> None:
    labelled = numbers_of(100)
    with pytest.raises(DataError, match=r"^linear_svm is no model for regression; take one of linear_regression, "):
        fit_heads([REGISTRY["linear_svm"]], source_of(labelled, labelled), Fitting())


def test_what_stores_its_rows_is_fitted_on_a_part_of_them() -> None:
    kind = REGISTRY["nearest_neighbours"]
    assert kind.max_rows == 10_000
    labelled = embeddings_of(10_500)
    head = HeadFit(kind, kind.settings[""], kind.preparations[0], Fitting(3))(labelled)
    assert 9_990 <= head.estimator.n_samples_fit_ <= 10_000


def test_a_kind_that_is_not_installed_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(DataError, match=r"^xgboost is not installed; pip install '\.\[boosting\]'"):
        REGISTRY["xgboost"].check_installed()


@pytest.mark.parametrize("rows", [4, 40, 100_000])
def test_a_leaf_has_at_least_a_row_and_at_most_a_hundred(rows: int) -> None:
    assert 1 <= Size(rows, 0).smallest_leaf <= 100
