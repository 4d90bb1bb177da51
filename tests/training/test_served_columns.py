"""From training to serving: what a head says over HTTP of an image and columns is what the fitted head says of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.bundle.input_spec import InputSpec
from models.bundle.loading import GOLDEN_COLUMNS, Bundle
from models.bundle.store import Store
from models.columns import Column, ColumnValue
from models.dates import days_text, parse_days
from models.runtime.engine import Engine
from models.runtime.sessions import Embedding
from tests.service.serving import instance, serving
from tests.tiny_bundle import solid_image, tiny_bundle
from tests.training.plain_source import plain_source
from training.data.dataset import Dataset
from training.export.bundle_files import golden_columns, golden_decisions
from training.export.exported_head import ExportedHead
from training.heads.fitted_head import FittedHead
from training.heads.head_fit import Fitting
from training.heads.labelled_embeddings import LabelledEmbeddings
from training.heads.registry import REGISTRY
from training.heads.selection.search import fit_heads
from training.policy.policies import PolicyTargets
from training.stages.finishing import finish

CLASSES = ("cheap", "dear", "odd")
COLUMNS = (
    Column(name="at", type="number"),
    Column(name="share", type="number", required=False),
    Column(name="size", type="number", required=False),
    Column(name="new", type="boolean", required=False),
    Column(
        name="metal", type="category", required=False, categories=("Zinc", "caf\u00e9", "old brass"), cleaning="folded"
    ),
    Column(name="made", type="date"),
)
SPELLINGS = {
    "Zinc": ("Zinc", "zinc ", "ZINC", "\tzinc"),
    "caf\u00e9": ("caf\u00e9", "cafe\u0301", " CAF\u00c9"),
    "old brass": ("old brass", "Old  Brass", "old\u00a0brass\n"),
    "tin": ("tin", "Tin "),
}
"""What a request may write for each; training saw no tin."""
GREYS = (10, 90, 130, 200, 250)
ROWS, REQUESTS, TOGETHER = 400, 1000, 50


@dataclass(frozen=True)
class Trained:
    """A fitted head, what was exported of it, and the bundle."""

    fitted: FittedHead
    finished: ExportedHead
    engine: Engine


def some_row(generator: np.random.Generator, *, is_new: bool) -> dict[str, ColumnValue]:
    """A row of the table; a new one may hold what training did not see."""
    wide = 3.0 if is_new and generator.random() < 0.1 else 1.0
    metals = list(SPELLINGS) if is_new else list(SPELLINGS)[:3]
    row: dict[str, ColumnValue] = {
        "at": 1.7e9 + 50 * float(generator.integers(0, 200) * wide),
        "share": float(generator.normal()) * 1e-30 * wide,
        "size": float(10 ** generator.uniform(-3, 6)) * wide,
        "new": bool(generator.random() < 0.4),
        "metal": str(generator.choice(metals)),
        "made": float(generator.integers(15_000, 15_000 + int(4_000 * wide))) + int(generator.integers(0, 24)) / 24,
    }
    optional = [column.name for column in COLUMNS if not column.required]
    return row | {name: None for name in optional if generator.random() < 0.1}


def written(row: dict[str, ColumnValue], generator: np.random.Generator) -> dict[str, Any]:
    """A row as a request may write it: other spellings and offsets, nothing or null for a missing value."""
    sent: dict[str, Any] = {name: value for name, value in row.items() if value is not None or generator.random() < 0.5}
    if row["metal"] is not None:
        sent["metal"] = str(generator.choice(SPELLINGS[str(row["metal"])]))
    days = float(row["made"] or 0.0)
    hours = int(generator.integers(-11, 12))
    local = days_text(days + hours / 24)
    sent["made"] = (
        days_text(days) if generator.random() < 0.5 else f"{local[:10]}T{local[11:19] or '00:00'}{hours:+03d}:00"
    )
    sent["at"] = int(float(row["at"] or 0.0))
    return sent


def labels_of(rows: list[dict[str, ColumnValue]], embedding: Embedding, generator: np.random.Generator) -> np.ndarray:
    """What columns and image tell, with noise, float64 `[N]`."""
    told = [
        (float(row["at"] or 0) - 1.7e9) / 5000
        + (row["metal"] == "Zinc")
        - (row["new"] is True)
        + float(row["made"] or 0) / 4000
        for row in rows
    ]
    return np.array(told) + embedding[:, 0] + 0.3 * generator.normal(size=len(rows))


def trained(kind: str, folder: Path) -> Trained:
    """A head of a kind, fitted on rows of a table, in a bundle."""
    generator = np.random.default_rng(0)
    rows = [some_row(generator, is_new=False) for _ in range(ROWS)]
    brightness = generator.choice(GREYS, ROWS).astype(np.float32) / np.float32(255)
    embedding = np.stack([brightness, 1 - brightness, 2 * brightness - 1, brightness / 2], axis=1)
    values = labels_of(rows, embedding, generator)
    is_number = kind == "linear_regression"
    labels = values if is_number else np.digitize(values, np.quantile(values, [1 / 3, 2 / 3]))
    labelled = LabelledEmbeddings(embedding, labels, rows)
    source = plain_source(labelled, np.arange(ROWS) % 5, labelled.part(np.arange(0)))
    classes = () if is_number else CLASSES
    images = np.zeros((ROWS, 8, 8, 1), np.uint8)
    dataset = Dataset("parts", images, labels, classes, InputSpec(height=8, width=8, channels=1), columns=COLUMNS)
    best = fit_heads([REGISTRY[kind]], source, Fitting(len(classes), COLUMNS))[0]
    finished = finish(best, dataset, source, None, name="part", targets=PolicyTargets(target_precision=0.6), seed=0)
    return Trained(best.finished(source), finished, Engine.load(bundle_of(finished, rows, folder), device="cpu"))


def bundle_of(finished: ExportedHead, rows: list[dict[str, ColumnValue]], folder: Path) -> Path:
    """The tiny bundle with the head in the place of its own."""
    tiny = Bundle.open(tiny_bundle(folder, name="parts"))
    spec, golden = finished.spec, tiny.golden_array("embedding")
    manifest = tiny.manifest.model_copy(update={"version": 2, "heads": (spec,), "task": spec.task, "files": {}})
    files = {name: data for name, data in tiny.files.items() if "shade" not in name}
    beside = rows[: len(golden)]
    files |= {**finished.files, **golden_decisions(finished, golden, beside), GOLDEN_COLUMNS: golden_columns(beside)}
    return Store(folder).add(manifest, files)


async def ask_all(engine: Engine, sent: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], Embedding]:
    """The answers over HTTP, and the embedding of each image of `GREYS`."""
    images = [solid_image(grey) for grey in GREYS]
    rows = [instance(images[index % len(images)], columns) for index, columns in enumerate(sent)]
    answers: list[dict[str, Any]] = []
    async with serving(engine) as (client, _):
        for start in range(0, len(rows), TOGETHER):
            response = await client.post("/v1/predict", json={"instances": rows[start : start + TOGETHER]})
            assert response.status_code == 200, response.text
            answers += response.json()["predictions"]
        raw = [await client.post("/v1/embed", content=image, headers={"content-type": "image/png"}) for image in images]
    return answers, np.array([response.json()["embedding"] for response in raw], np.float32)


@pytest.mark.parametrize("kind", ["logistic_regression", "hist_gradient_boosting", "linear_regression"])
def test_what_is_served_is_what_was_trained(kind: str, tmp_path: Path) -> None:
    head = trained(kind, tmp_path)
    generator = np.random.default_rng(1)
    rows = [some_row(generator, is_new=True) for _ in range(REQUESTS)]
    answers, embedding = asyncio.run(ask_all(head.engine, [written(row, generator) for row in rows]))
    expected = head.fitted(embedding[np.arange(REQUESTS) % len(GREYS)], rows)

    spec = head.finished.spec
    if spec.classes:
        found = np.array([[answer["probabilities"][name] for name in spec.classes] for answer in answers])
        assert np.abs(found - expected).max() < 1e-5
        assert found.max(1).std() > 0.05  # the columns matter
    else:
        found = np.array([[answer["value"]] for answer in answers])
        assert (np.abs(found - expected) / np.abs(expected).max()).max() < 1e-5
        assert found.std() > 0.5

    ranges = {column.name: (column.low, column.high) for column in spec.columns if column.low is not None}
    assert set(ranges) == {"at", "share", "size", "made"}
    for row, answer in zip(rows, answers, strict=True):
        given = {name: row[name] for name in ranges if row[name] is not None}
        beyond = any(not ranges[name][0] <= value <= ranges[name][1] for name, value in given.items())
        assert ("out_of_range" in answer["reasons"]) == beyond
        assert answer["decision"] == ("review" if answer["reasons"] else "accept")
    assert 30 < sum("out_of_range" in answer["reasons"] for answer in answers) < 200


def test_dates_are_written_as_they_are_read() -> None:
    generator = np.random.default_rng(2)
    for _ in range(200):
        row = some_row(generator, is_new=True)
        assert parse_days(written(row, generator)["made"]) == pytest.approx(row["made"], abs=1e-9)
