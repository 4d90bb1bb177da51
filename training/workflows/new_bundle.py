"""embedder and selected head ──▶ evaluation, precisions ──▶ bundle: what all new bundles share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from models.bundle.golden import verify
from models.bundle.loading import REPORT
from models.bundle.manifest import EMBEDDER_FILES, Manifest
from models.bundle.store import Store
from models.runtime.sessions import Probabilities
from training.clean.findings.findings import Findings
from training.data.images import Indices
from training.data.split import Split
from training.export.bundle_files import choose_golden, golden_files, golden_spec, library_versions
from training.network.history import History
from training.progress import Stopwatch, stage
from training.reports.report_pages import report_page
from training.stages.ablation import ablate, baseline_answers
from training.stages.embedder_precisions import make_precisions
from training.stages.evaluation import evaluate
from training.stages.head_plan import HeadPlan
from training.stages.model_selection import Selection
from training.stages.results import Results
from training.stages.training_data import TrainingData
from training.stages.training_notes import manifest_entry


@dataclass(frozen=True)
class Network:
    """The network of a new bundle.

    Attributes:
        graph: the embedder, float32.
        settings: what the manifest says of it.
        hardware: what the training ran on.
        files: further files of the bundle, by name.
        history: of its training; None if it was not trained.
        baselines: answers of its own classifiers on the test images, by row name, float32 `[T, K]`.
    """

    graph: bytes
    settings: Mapping[str, Any]
    hardware: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    history: History | None = None
    baselines: Mapping[str, Probabilities] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """A network and the head that was selected on its embeddings.

    Attributes:
        network: the embedder and what is known of it.
        data: what the head was fitted on and validated with, and is tested with.
        selection: the head.
    """

    network: Network
    data: TrainingData
    selection: Selection


def make_bundle(model: Model, plan: HeadPlan, findings: Findings, *, watch: Stopwatch, store: Path) -> Path:
    """Evaluates a model and writes the bundle; returns its directory.

    Args:
        model: network and head.
        plan: which head.
        findings: what is wrong with the data.
        watch: has the seconds of the stages before.
        store: the bundle is the next version of its name there.

    Raises:
        ExportError: an exported graph does not compute what the fitted model computes.
        OSError: the store cannot be written to.
    """
    network, data, selection = model.network, model.data, model.selection
    with watch.step("evaluate"):
        ablations = ablate(data, selection)
        baselines = {**network.baselines, **baseline_answers(data, selection, ablations)}
        evaluation = evaluate(selection.head, data, baselines)
    with watch.step("make other precisions"):
        best, head = selection.candidates[0], selection.head.head
        variants = make_precisions(network.graph, data, head, best, selection.source, seed=plan.seed)
    settings = {**network.settings, "seed": plan.seed, **plan.as_settings(), **selection.as_settings()}
    results = Results(
        *(data, selection.head, evaluation, variants, settings, watch.seconds, network.hardware),
        selection=selection,
        ablations=ablations,
        history=network.history,
        findings=findings,
    )
    with stage("write the bundle"):
        return _write(results, store, network.files)


def known_images(parts: Split) -> Indices:
    """Positions of all images but the test images, validation images first; small data sets have none of those."""
    return np.concatenate([parts.validation, parts.train])


def _write(results: Results, root: Path, more: Mapping[str, bytes]) -> Path:
    """Writes the next version into the store at `root`, with the files in `more`, and checks it there."""
    store, graphs = Store(root), results.variants.graphs
    golden = choose_golden(results.dataset, known_images(results.parts))
    images = results.dataset.images[golden]
    files = {
        **{EMBEDDER_FILES[precision]: graph for precision, graph in graphs.items()},
        **more,
        **results.head.files,
        **golden_files(images, graphs, results.head, results.dataset.beside(golden), results.data.pooling),
    }
    manifest = _manifest(results, store.next_version(results.dataset.name), len(images))
    return store.add(manifest, {**files, REPORT: report_page(results, manifest, files)}, check=verify)


def _manifest(results: Results, version: int, golden_count: int) -> Manifest:
    return Manifest(
        name=results.dataset.name,
        version=version,
        created=datetime.now(UTC).replace(microsecond=0),
        task=results.dataset.task,
        input=results.dataset.input,
        embedding_width=results.data.embedding_width,
        pooling=results.data.pooling.kinds,
        precisions=results.variants.precisions,
        variants=results.variants.specs,
        heads=(results.spec,),
        golden=golden_spec(golden_count, results.variants.precisions),
        data_fingerprint=results.dataset.fingerprint(),
        training={**manifest_entry(results), "hardware": results.hardware},
        libraries=library_versions(),
        files={},
    )
