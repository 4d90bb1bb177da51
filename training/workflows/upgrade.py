"""bundle and its data ──▶ its next version, with other precisions of the embedder; network and heads stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from models.bundle.loading import Bundle
from models.bundle.manifest import Manifest, Precision
from models.runtime.embedding_files import DEFAULT_ROOT
from training.data.dataset import Dataset
from training.data.split import Split
from training.exceptions import DataError, ExportError
from training.export.exported_head import ExportedHead
from training.heads.head_fit import Fitting
from training.heads.registry import kind_named
from training.heads.selection.candidates import Candidate
from training.heads.selection.search import fit_heads
from training.progress import Stopwatch
from training.stages.embedder_precisions import make_precisions
from training.stages.evaluation import evaluate
from training.stages.prepare import prepare
from training.stages.results import Results, image_counts
from training.stages.training_data import TrainingData, embed_images, label_embeddings
from training.workflows.next_version import write_with_precisions


def upgrade(
    bundle: Bundle, dataset: Dataset, precisions: Sequence[Precision], root: Path, cache: Path = DEFAULT_ROOT
) -> Path:
    """Makes the embedder in other precisions and writes a bundle with those worth keeping; returns its directory.

    Args:
        bundle: what a training wrote.
        dataset: the same data that it was trained on.
        precisions: which to make.
        root: directory of the store. If the store has the bundle's name, the new version is not promoted.
        cache: directory of the embeddings that are kept.

    Raises:
        DataError: the bundle was made of other data.
        ExportError: no other precision is worth keeping.
    """
    watch, manifest, graph = Stopwatch(), bundle.manifest, bundle.embedder("fp32")
    if not {"seed", "images"} <= set(manifest.training):
        raise DataError(f"{manifest.model} does not say how its data were split; train it anew")
    seed, head = manifest.training["seed"], ExportedHead.from_bundle(bundle, manifest.default_head)
    with watch.step("find copies and split"):
        prepared = prepare(dataset.in_order_of(manifest.default_head.classes), seed, cache, bundle)
    _check(manifest, dataset, prepared.parts)
    with watch.step("embed"):
        embedded = embed_images(graph, prepared.dataset, cache)
        data = label_embeddings(prepared, embedded, seed=seed)
    with watch.step("evaluate"):
        evaluation = evaluate(head, data, {})
    with watch.step("make other precisions"):
        source, candidate = next(iter(data.sources.values())), out_of_fold(head, data, manifest)
        variants = make_precisions(graph, data, head.head, candidate, source, seed=0, precisions=precisions)
    if variants.precisions == ("fp32",):
        reasons = "; ".join(f"{variant.precision}: {variant.reason}" for variant in variants.specs[1:])
        raise ExportError(f"no other precision of {manifest.model} is worth keeping; {reasons}")
    hardware = manifest.training["hardware"]
    results = Results(data, head, evaluation, variants, manifest.training, watch.seconds, hardware)
    return write_with_precisions(bundle, results, root)


def _check(manifest: Manifest, dataset: Dataset, parts: Split) -> None:
    """Checks that the data are those that the bundle was made of.

    Raises:
        DataError: they are others.
    """
    counts, wanted = image_counts(parts), manifest.training["images"]
    if counts != wanted:
        raise DataError(
            f"{manifest.model} was made of {_listed(wanted)} images, not {_listed(counts)}; "
            "give the same data and --limit"
        )
    if dataset.fingerprint() != manifest.data_fingerprint:
        raise DataError(f"{manifest.model} was made of other images than these; give the same data and --limit")


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {part}" for part, count in counts.items())


def out_of_fold(head: ExportedHead, data: TrainingData, manifest: Manifest) -> Candidate:
    """A head of the same kind that answers out of fold; the head itself was fitted on the held-out images."""
    entry, dataset = manifest.training_of(head.spec.name), data.dataset
    fitting = Fitting(
        len(dataset.classes),
        dataset.columns,
        manifest.training["seed"],
        is_balanced=entry.get("balance") == "weights",
        is_log=entry.get("target transform") == "log",
    )
    return fit_heads([kind_named(head.spec.kind)], next(iter(data.sources.values())), fitting)[0]
