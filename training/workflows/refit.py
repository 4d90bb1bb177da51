"""bundle and labelled images ──▶ the next version of it, with a head more or another one: the network stays as it is.

With the images' embeddings in the cache no network runs and no image is decoded, and it takes seconds.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from models.bundle.golden import verify
from models.bundle.head_spec import HeadSpec
from models.bundle.loading import GOLDEN, GOLDEN_COLUMNS, REPORT, Bundle
from models.bundle.manifest import EMBEDDER_FILES, Manifest, Precision, Variant
from models.bundle.store import Store
from models.columns import ColumnValue
from models.runtime.sessions import Embedder, Embedding, cpu_session
from training.clean.findings.findings import drop, inspect
from training.cli.console_notes import told
from training.data.dataset import Dataset
from training.exceptions import DataError
from training.export.bundle_files import golden_columns, golden_decisions
from training.network.embedding_cache import DEFAULT_ROOT, EmbeddingCache, embed_all, keeping, keys_of
from training.progress import stage
from training.reports.report_pages import report_page
from training.workflows.finishing import Finished
from training.workflows.model_selection import HeadPlan, Material, alone, material_of, outputs_beside, teach
from training.workflows.precision_trial import Trial, Variants
from training.workflows.prepare import Prepared, prepare
from training.workflows.results import JUDGING, Results, Stopwatch, evaluate

_OF_A_HEAD = (
    *("head", "head fitted on", "target precision", "confidence", "max missed", "costs", "false alarms", "dropped"),
    *("balance", "target transform", "extrapolate", "network and head of", "notes", *JUDGING),
)


@dataclass(frozen=True)
class Refit:
    """Which head to fit, and where to put the bundle.

    Attributes:
        head: the head; one of the bundle's of the same name is replaced.
        store: the next version is written there.
        cache: where embeddings are kept.
    """

    head: HeadPlan
    store: Path
    cache: Path = DEFAULT_ROOT


def refit(bundle: Bundle, dataset: Dataset, plan: Refit) -> Path:
    """Fits a head on a bundle's embeddings and writes the next version with it; returns its directory.

    Args:
        bundle: gives the network and the other heads.
        dataset: images, labels and columns, decoded as the bundle says.
        plan: the rest. A head that is replaced by one of the same classes keeps their order.

    Raises:
        DataError: a column has another type in another head; the kind of head is not installed or does another task.
        ExportError: a graph computes something else than what was fitted.
        OSError: the store cannot be written to.
    """
    _check_columns(bundle.manifest, dataset, plan.head.name)
    for head in bundle.manifest.heads:
        if head.name == plan.head.name:
            dataset = dataset.in_order_of(head.classes)
    plan.store.mkdir(parents=True, exist_ok=True)
    watch = Stopwatch()
    with watch.step("find copies and split"):
        prepared = prepare(dataset, plan.head.seed, plan.cache, bundle).checked()
    with watch.step("embed"):
        caches = _Caches(bundle, plan.cache)
        embedding = caches.embed("fp32", prepared.dataset)
    with keeping(embedding):
        return _conclude(bundle, prepared, embedding, caches, plan=plan, watch=watch)


def _conclude(
    bundle: Bundle, prepared: Prepared, embedding: Embedding, caches: _Caches, *, plan: Refit, watch: Stopwatch
) -> Path:
    """Fits and measures the head, and writes the bundle."""
    seed = plan.head.seed
    findings = None
    if plan.head.drop:
        with watch.step("look at the data"):
            findings = inspect(prepared.dataset, embedding, prepared.parts, prepared.copies, seed=seed)
            kinds, force = plan.head.drop, plan.head.force
            parts = drop(prepared.dataset, prepared.parts, findings, kinds, seen=prepared.seen, force=force)
            prepared = replace(prepared, parts=parts, unfitted=findings.doubtful(kinds))
    with watch.step("fit the heads"):
        material = material_of(prepared, embedding, caches.of("fp32"), seed=seed)
        taught = teach(material, plan.head)
    with watch.step("evaluate"):
        beside = alone(material, taught)
        evaluation = evaluate(taught.head, material, outputs_beside(material, taught, beside))
    with watch.step("try the other precisions"):
        variants = _measured(bundle.manifest, taught.head, caches, material)
    results = Results(
        material=material,
        head=taught.head,
        choices=taught.candidates,
        alone=beside,
        criterion=taught.fitting.criterion,
        evaluation=evaluation,
        variants=Variants(tuple(variants), {}),
        settings={"seed": seed, **plan.head.as_settings(), **taught.as_settings()},
        seconds=watch.seconds,
        hardware=f"{os.cpu_count()} CPU cores",
        findings=findings,
    )
    with stage("write the bundle"):
        return _write(bundle, results, plan)


class _Caches:
    """The embeddings of each precision that the bundle has."""

    def __init__(self, bundle: Bundle, root: Path) -> None:
        self._bundle = bundle
        self._root = root
        self._opened: dict[Precision, EmbeddingCache] = {}

    def of(self, precision: Precision) -> EmbeddingCache:
        """The cache of one precision."""
        if precision not in self._opened:
            graph = self._bundle.embedder(precision)
            self._opened[precision] = EmbeddingCache(self._root, graph, self._bundle.manifest.input)
        return self._opened[precision]

    def embed(self, precision: Precision, dataset: Dataset, positions: np.ndarray | None = None) -> Embedding:
        """Embeds all images, or those at some positions, float32 `[N, D]`."""
        file = EMBEDDER_FILES[precision]
        session = cpu_session(self._bundle.embedder(precision), threads=os.cpu_count() or 1, file=file)
        embedder = Embedder.checked(session, self._bundle.manifest)
        return embed_all(self.of(precision), embedder, dataset, positions)


def _measured(manifest: Manifest, head: Finished, caches: _Caches, material: Material) -> list[Variant]:
    """What the bundle tells of each precision, with what the head does on its embeddings of the test images."""
    told = {variant.precision: variant for variant in manifest.variants}
    plain = [Variant(precision=precision, kept=True) for precision in manifest.precisions if precision not in told]
    trial, measured = Trial.test(material.dataset.images, head.head, material.at(material.counted)), []
    for variant in [*manifest.variants, *plain]:
        figures = {name: value for name, value in variant.metrics.items() if name in ("ms_per_image", "size_bytes")}
        if variant.kept:
            figures |= trial.figures(caches.embed(variant.precision, material.dataset, material.counted))
        measured.append(variant.model_copy(update={"metrics": figures}))
    return measured


def _with_precisions(results: Results) -> HeadSpec:
    """The head's entry, with its figures in the other precisions."""
    spec = results.measured
    figure = "test_accuracy" if spec.classes else "test_r2"
    others = {
        f"{figure}_{variant.precision}": variant.metrics[figure]
        for variant in results.variants.specs
        if variant.precision != "fp32" and figure in variant.metrics
    }
    return spec.model_copy(update={"metrics": {**spec.metrics, **others}})


def _write(bundle: Bundle, results: Results, plan: Refit) -> Path:
    spec, store = _with_precisions(results), Store(plan.store)
    heads = _heads(bundle.manifest, spec)
    kept = {name: data for name, data in bundle.files.items() if not _is_of(spec.name, name)}
    files = {**kept, **results.head.files}
    rows = _golden_rows(bundle, results)
    if rows:
        files[GOLDEN_COLUMNS] = golden_columns(rows)
    for other in heads:
        finished = results.head if other.name == spec.name else Finished.of(bundle, other)
        files |= golden_decisions(finished, bundle.golden_array("embedding"), _taken(rows, other))
    version = max(store.next_version(bundle.manifest.name), bundle.manifest.version + 1)
    is_default = heads[0].name == spec.name
    if not is_default:  # the table of precisions is the default head's
        results = replace(results, variants=Variants((), {}))
    manifest = _manifest(bundle.manifest, heads, results, version)
    measured = {name: data for name, data in files.items() if not name.endswith(".html")}
    files[REPORT if is_default else f"report-{spec.name}.html"] = report_page(results, manifest, measured)
    return store.add(manifest, files, check=verify)


def _heads(manifest: Manifest, spec: HeadSpec) -> tuple[HeadSpec, ...]:
    """The bundle's heads with the new one in the place of the one of its name, or as the last."""
    if spec.name in {head.name for head in manifest.heads}:
        return tuple(spec if head.name == spec.name else head for head in manifest.heads)
    return (*manifest.heads, spec)


def _is_of(head: str, file: str) -> bool:
    own = {f"head-{head}.onnx", f"novelty-{head}.onnx", f"report-{head}.html"}
    golden = {f"{GOLDEN}/{what}-{head}.npy" for what in ("probabilities", "value", "interval", "distance")}
    return file in own | golden or file.startswith(f"examples-{head}/")


def _golden_rows(bundle: Bundle, results: Results) -> list[dict[str, ColumnValue]]:
    """The columns beside the golden images: those that other heads have, and some of the new head's own data."""
    count, dataset = bundle.manifest.golden.count, results.dataset
    before: list[dict[str, ColumnValue]] = [{} for _ in range(count)]
    for head in (head for head in bundle.manifest.heads if head.name != results.head.spec.name):
        for index, columns in enumerate(bundle.golden_columns(head)):
            before[index] |= columns
    if not dataset.columns:
        return before if any(before) else []
    new = [dict(dataset.rows[index % len(dataset.rows)]) for index in range(count)]
    return [{**columns, **row} for row, columns in zip(before, new, strict=True)]  # others may require what they have


def _taken(rows: Sequence[Mapping[str, ColumnValue]], head: HeadSpec) -> list[dict[str, ColumnValue]]:
    return [{column.name: row.get(column.name) for column in head.columns} for row in rows] if head.columns else []


def _manifest(before: Manifest, heads: tuple[HeadSpec, ...], results: Results, version: int) -> Manifest:
    own = {**told(results), "data_fingerprint": _fingerprint(results.dataset)}
    of_heads = {**before.training.get("heads", {}), results.head.spec.name: own}
    training = {**before.training, "heads": of_heads}
    is_default = heads[0].name == results.head.spec.name
    if is_default:  # what was told of the head that is gone
        training = {name: value for name, value in training.items() if name not in _OF_A_HEAD}
    update = {
        "version": version,
        "created": datetime.now(UTC).replace(microsecond=0),
        "task": heads[0].task,
        "heads": heads,
        "training": training,
        "variants": results.variants.specs if is_default and before.variants else before.variants,
    }
    return before.model_copy(update=update)


def _fingerprint(dataset: Dataset) -> str:
    """SHA-256 over what the images are known by, labels and columns: no image is decoded for it."""
    digest = hashlib.sha256(b"".join(keys_of(dataset)))
    digest.update(np.ascontiguousarray(dataset.labels).data)
    digest.update(json.dumps([dataset.classes, [dict(row) for row in dataset.rows]], sort_keys=True).encode())
    return digest.hexdigest()


def _check_columns(manifest: Manifest, dataset: Dataset, name: str) -> None:
    """A request gives a column once, for all heads.

    Raises:
        DataError: another head has a column of the same name and another type.
    """
    types = {
        column.name: (head.name, column.type) for head in manifest.heads for column in head.columns if head.name != name
    }
    for column in dataset.columns:
        head, type_ = types.get(column.name, ("", column.type))
        if type_ != column.type:
            raise DataError(
                f"column {column.name!r} is a {column.type} here and a {type_} of head {head!r}; rename it in the table"
            )
