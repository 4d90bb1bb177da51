"""bundle and its data ──▶ the next version of it, with other precisions: network and head stay as they are."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from models.bundle import GOLDEN, REPORT, Bundle, golden_embedding
from models.golden import verify
from models.manifest import EMBEDDER_FILES, Manifest, Precision
from models.pixels import decode
from models.sessions import Embedder, cpu_session
from models.store import Store
from training.bundle import golden_embeddings, golden_spec
from training.dataset import Dataset
from training.errors import DataError, ExportError
from training.finish import Finished
from training.heads import Lesson, embed
from training.images import select
from training.results import Results, Stopwatch, evaluate, image_counts, known_images, report_page
from training.split import Split, split
from training.variants import OTHERS, Trial, Variants, calibration_images, make_variants


def upgrade(bundle: Bundle, dataset: Dataset, precisions: Sequence[Precision], root: Path) -> Path:
    """Makes the embedder in other precisions and writes a bundle with those worth keeping; returns its directory.

    Args:
        bundle: what a training wrote.
        dataset: the very data that it was trained on.
        precisions: which to make.
        root: of the store that the next version is written to; where the store has the name, it is not promoted.

    Raises:
        DataError: the data are not those that the bundle was made of.
        ExportError: no other precision is worth keeping.
    """
    parts = _parts(bundle.manifest, dataset)
    dataset = dataset.in_order_of(bundle.manifest.default_head.classes)
    results = _try_precisions(bundle, dataset, parts, precisions)
    variants = results.variants
    if variants.precisions == ("fp32",):
        reasons = "; ".join(f"{variant.precision}: {variant.reason}" for variant in variants.specs[1:])
        raise ExportError(f"no other precision of {bundle.manifest.model} is worth keeping; {reasons}")
    store = Store(root)
    version = max(store.next_version(bundle.manifest.name), bundle.manifest.version + 1)
    manifest = _manifest(bundle.manifest, variants, version)
    files = _files(bundle, variants)
    path = store.add(manifest, {**files, REPORT: report_page(results, manifest, files)})
    verify(Bundle.open(path))
    return path


def _parts(manifest: Manifest, dataset: Dataset) -> Split:
    """The data as the training split them.

    Raises:
        DataError: they are other data, or the bundle does not say how they were split.
    """
    if not {"seed", "images"} <= set(manifest.training):
        raise DataError(f"{manifest.model} does not say how its data were split; train it anew")
    parts = split(dataset, manifest.training["seed"])
    found, wanted = image_counts(parts), manifest.training["images"]
    if found != wanted:
        raise DataError(
            f"{manifest.model} was made of {_counted(wanted)} images, not {_counted(found)}; "
            "give the same data and --limit"
        )
    if dataset.fingerprint() != manifest.data_fingerprint:
        raise DataError(f"{manifest.model} was made of other images than these; give the same data and --limit")
    return parts


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {part}" for part, count in counts.items())


def _try_precisions(bundle: Bundle, dataset: Dataset, parts: Split, precisions: Sequence[Precision]) -> Results:
    graph, watch = bundle.embedder("fp32"), Stopwatch()
    head = Finished.of(bundle, bundle.manifest.default_head)
    images, labels = select(dataset.images, parts.test), dataset.labels[parts.test]
    with watch.step("evaluate"):
        embedding = embed(Embedder(cpu_session(graph, threads=os.cpu_count() or 1)), images, "embedding test images")
        test = Lesson(embedding, labels, dataset.beside(parts.test))
        evaluation = evaluate(head, test, {})
    with watch.step("make other precisions"):
        calibration = calibration_images(dataset.images, known_images(parts), dataset.input)
        variants = make_variants(graph, calibration, Trial(images, head.head, test), precisions)
    return Results(
        dataset=dataset,
        parts=parts,
        embedding_width=bundle.manifest.embedding_width,
        head=head,
        choices=[],
        judged=0,
        evaluation=evaluation,
        variants=variants,
        settings=bundle.manifest.training,
        seconds=watch.seconds,
        hardware=bundle.manifest.training["hardware"],
    )


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
