"""bundle and its data ──▶ the next version of it, with other precisions: network and head stay as they are."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from models.bundle.golden import verify
from models.bundle.loading import GOLDEN, REPORT, Bundle, golden_embedding
from models.bundle.manifest import EMBEDDER_FILES, Manifest, Precision
from models.bundle.store import Store
from models.imaging.decode import decode
from models.runtime.sessions import Embedder, cpu_session
from training.cli.console_summary import told_of
from training.data.dataset import Dataset
from training.data.images import select
from training.data.split import Split
from training.exceptions import DataError, ExportError
from training.export.bundle_files import golden_embeddings, golden_spec
from training.heads.head_fit import Fitting
from training.heads.registry import kind_named
from training.heads.selection.candidates import Candidate
from training.heads.selection.search import fit_heads
from training.network.embedding_cache import DEFAULT_ROOT, EmbeddingCache, embed_all
from training.quantization.variants import calibration_images, make_variants
from training.reports.report_pages import report_page
from training.workflows.finishing import Finished
from training.workflows.model_selection import Material, material_of
from training.workflows.precision_trial import OTHERS, Trial, Variants
from training.workflows.prepare import prepare
from training.workflows.results import Results, Stopwatch, evaluate, image_counts


def upgrade(
    bundle: Bundle, dataset: Dataset, precisions: Sequence[Precision], root: Path, cache: Path = DEFAULT_ROOT
) -> Path:
    """Makes the embedder in other precisions and writes a bundle with those worth keeping; returns its directory.

    Args:
        bundle: what a training wrote.
        dataset: the very data that it was trained on.
        precisions: which to make.
        root: of the store that the next version is written to; where the store has the name, it is not promoted.
        cache: where embeddings are kept.

    Raises:
        DataError: the data are not those that the bundle was made of.
        ExportError: no other precision is worth keeping.
    """
    watch = Stopwatch()
    manifest, graph = bundle.manifest, bundle.embedder("fp32")
    if not {"seed", "images"} <= set(manifest.training):
        raise DataError(f"{manifest.model} does not say how its data were split; train it anew")
    with watch.step("find copies and split"):
        prepared = prepare(dataset.in_order_of(manifest.default_head.classes), manifest.training["seed"], cache, bundle)
    _check(manifest, dataset, prepared.parts)
    with watch.step("embed"):
        kept = EmbeddingCache(cache, graph, dataset.input)
        embedder = Embedder(cpu_session(graph, threads=os.cpu_count() or 1))
        embedding = embed_all(kept, embedder, prepared.dataset)
    material = material_of(prepared, embedding, kept, seed=manifest.training["seed"])
    results = _try_precisions(bundle, material, precisions, watch)
    variants = results.variants
    if variants.precisions == ("fp32",):
        reasons = "; ".join(f"{variant.precision}: {variant.reason}" for variant in variants.specs[1:])
        raise ExportError(f"no other precision of {bundle.manifest.model} is worth keeping; {reasons}")
    store = Store(root)
    version = max(store.next_version(bundle.manifest.name), bundle.manifest.version + 1)
    manifest = _manifest(bundle.manifest, variants, version)
    files = _files(bundle, variants)
    return store.add(manifest, {**files, REPORT: report_page(results, manifest, files)}, check=verify)


def _check(manifest: Manifest, dataset: Dataset, parts: Split) -> None:
    """Whether they are the data that the bundle was made of.

    Raises:
        DataError: they are others.
    """
    found, wanted = image_counts(parts), manifest.training["images"]
    if found != wanted:
        raise DataError(
            f"{manifest.model} was made of {_counted(wanted)} images, not {_counted(found)}; "
            "give the same data and --limit"
        )
    if dataset.fingerprint() != manifest.data_fingerprint:
        raise DataError(f"{manifest.model} was made of other images than these; give the same data and --limit")


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {part}" for part, count in counts.items())


def _try_precisions(bundle: Bundle, material: Material, precisions: Sequence[Precision], watch: Stopwatch) -> Results:
    dataset, head = material.dataset, Finished.of(bundle, bundle.manifest.default_head)
    source = next(iter(material.sources.values()))
    with watch.step("evaluate"):
        evaluation = evaluate(head, material, {})
    with watch.step("make other precisions"):
        like = alike(head, material, bundle.manifest)
        calibration = calibration_images(dataset.images, material.parts.known, dataset.input)
        variants = make_variants(
            bundle.embedder("fp32"),
            calibration,
            Trial.held_out(select(dataset.images, material.judged), like, source, seed=0),
            Trial.test(select(dataset.images, material.counted), head.head, material.at(material.counted)),
            precisions,
        )
    return Results(
        material=material,
        head=head,
        choices=(),
        criterion=bundle.manifest.training.get("chosen by", ""),
        evaluation=evaluation,
        variants=variants,
        settings=bundle.manifest.training,
        seconds=watch.seconds,
        hardware=bundle.manifest.training["hardware"],
    )


def alike(head: Finished, material: Material, manifest: Manifest) -> Candidate:
    """A head of the same kind that answers out of fold: the head itself was fitted on the images that judge."""
    told, dataset = told_of(manifest, head.spec), material.dataset
    fitting = Fitting(
        len(dataset.classes),
        dataset.columns,
        manifest.training["seed"],
        is_balanced=told.get("balance") == "weights",
        is_log=told.get("target transform") == "log",
    )
    return fit_heads([kind_named(head.spec.kind)], next(iter(material.sources.values())), fitting)[0]


def _manifest(before: Manifest, variants: Variants, version: int) -> Manifest:
    update = {
        "version": version,
        "created": datetime.now(UTC).replace(microsecond=0),
        "precisions": variants.precisions,
        "variants": variants.specs,
        "golden": golden_spec(before.golden.count, variants.precisions),
        "training": {**before.training, "network and head of": before.model},
    }
    return before.model_copy(update=update)


def _files(bundle: Bundle, variants: Variants) -> dict[str, bytes]:
    """The bundle's files with the graphs and golden embeddings of the other precisions, without its report."""
    images = np.stack([decode(data, bundle.manifest.input) for data in bundle.golden_images()])
    others = {precision: variants.graphs[precision] for precision in OTHERS if precision in variants.graphs}
    kept = {name: data for name, data in bundle.files.items() if name != REPORT and not _is_of_precision(name)}
    return {
        **kept,
        **{EMBEDDER_FILES[precision]: graph for precision, graph in others.items()},
        **golden_embeddings(images, others),
    }


def _is_of_precision(name: str) -> bool:
    """Whether a file belongs to a precision that an earlier version had."""
    return any(name in (EMBEDDER_FILES[p], f"{GOLDEN}/{golden_embedding(p)}.npy") for p in OTHERS)
