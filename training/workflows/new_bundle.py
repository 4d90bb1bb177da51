"""labelled embeddings ──▶ head, evaluation, precisions ──▶ bundle: what all trainings of a new bundle share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.bundle.golden import verify
from models.bundle.loading import REPORT
from models.bundle.manifest import EMBEDDER_FILES, Manifest
from models.bundle.store import Store
from models.runtime.sessions import Probabilities
from training.clean.findings.findings import Findings
from training.cli.console_notes import told
from training.data.images import select
from training.export.bundle_files import choose_golden, golden_files, golden_spec, library_versions
from training.progress import stage
from training.quantization.variants import calibration_images, make_variants
from training.reports.report_pages import report_page
from training.workflows.model_selection import HeadPlan, Material, alone, outputs_beside, teach
from training.workflows.precision_trial import Trial
from training.workflows.results import Results, Stopwatch, evaluate, known_images

if TYPE_CHECKING:
    from training.network.fit import History


@dataclass(frozen=True)
class Network:
    """The network of a new bundle.

    Attributes:
        graph: the embedder, float32.
        settings: what the manifest tells of it.
        hardware: what it was fitted on.
        history: of its training; None where it was not trained.
        files: that the bundle has because of it, by name.
    """

    graph: bytes
    settings: Mapping[str, Any]
    hardware: str
    files: Mapping[str, bytes]
    history: History | None = None


def conclude(
    network: Network,
    material: Material,
    plan: HeadPlan,
    *,
    rivals: Callable[[], Mapping[str, Probabilities]],
    findings: Findings,
    watch: Stopwatch,
    store: Path,
) -> Path:
    """Fits heads on a network's embeddings, measures them and writes the bundle; returns its directory.

    Args:
        network: the one.
        material: what heads are fitted on and judged by.
        plan: which heads.
        rivals: other rows that the head is compared with, on the test images.
        findings: what is wrong with the data.
        watch: has the seconds of the steps before.
        store: where the bundle goes.

    Raises:
        DataError: the kind of head is not installed, or does another task; costs or limits name an unknown label.
        ExportError: an exported graph does not compute what was fitted.
    """
    dataset, parts = material.dataset, material.parts
    with watch.step("fit the heads"):
        taught = teach(material, plan)
    with watch.step("evaluate"):
        beside = alone(material, taught)
        evaluation = evaluate(taught.head, material, {**rivals(), **outputs_beside(material, taught, beside)})
    with watch.step("make other precisions"):
        judged = select(dataset.images, material.judged)
        variants = make_variants(
            network.graph,
            calibration_images(dataset.images, parts.known, dataset.input),
            Trial.held_out(judged, taught.candidates[0], taught.source, seed=plan.seed),
            Trial.test(select(dataset.images, material.counted), taught.head.head, material.at(material.counted)),
        )
    results = Results(
        material=material,
        head=taught.head,
        choices=taught.candidates,
        alone=beside,
        criterion=taught.fitting.criterion,
        evaluation=evaluation,
        variants=variants,
        settings={
            **network.settings,
            "seed": plan.seed,
            **plan.as_settings(),
            **taught.as_settings(),
        },
        seconds=watch.seconds,
        hardware=network.hardware,
        history=network.history,
        findings=findings,
    )
    with stage("write the bundle"):
        return _write(results, store, network.files)


def _write(results: Results, root: Path, more: Mapping[str, bytes]) -> Path:
    """Writes the bundle, with more files, as the next version of its name into the store at `root`; checks it there."""
    store = Store(root)
    golden = choose_golden(results.dataset, known_images(results.parts))
    images = results.dataset.images[golden]
    graphs = results.variants.graphs
    files = {
        **{EMBEDDER_FILES[precision]: graph for precision, graph in graphs.items()},
        **more,
        **results.head.files,
        **golden_files(images, graphs, results.head, results.dataset.beside(golden)),
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
        embedding_width=results.material.embedding.shape[1],
        precisions=results.variants.precisions,
        variants=results.variants.specs,
        heads=(results.measured,),
        golden=golden_spec(golden_count, results.variants.precisions),
        data_fingerprint=results.dataset.fingerprint(),
        training={**told(results), "hardware": results.hardware},
        libraries=library_versions(),
        files={},
    )
