"""bundle and labelled images ──▶ its next version, with one more head or a replaced one; the network stays.

If the embeddings of the images are in the cache, no network runs and no image is decoded; it takes seconds.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from models.bundle.loading import Bundle
from models.bundle.manifest import EMBEDDER_FILES, Manifest, Precision, Variant
from models.runtime.embedding_files import DEFAULT_ROOT, EmbeddingCache
from models.runtime.head_sessions import Head
from models.runtime.photo_weights import open_pooling
from models.runtime.sessions import Embedder, Embedding, cpu_session
from training.data.dataset import Dataset
from training.data.images import Indices
from training.exceptions import DataError
from training.instances.pooled_embeddings import check_photos, embed_instances
from training.network.embedding_cache import keeping
from training.progress import Stopwatch, stage
from training.quantization.precision_trial import Trial, Variants
from training.stages.ablation import ablate, baseline_answers
from training.stages.evaluation import evaluate
from training.stages.head_plan import HeadPlan
from training.stages.model_selection import select_head
from training.stages.prepare import Prepared, drop_faults, find_faults, prepare
from training.stages.results import Results
from training.stages.training_data import Embedded, TrainingData, label_embeddings
from training.workflows.next_version import write_with_head


@dataclass(frozen=True)
class RefitPlan:
    """Which head to fit, and where to write the bundle.

    Attributes:
        head: the head; it replaces the bundle's head of the same name.
        store: directory of the store.
        cache: directory of the embeddings that are kept.
    """

    head: HeadPlan
    store: Path
    cache: Path = DEFAULT_ROOT


def refit(bundle: Bundle, dataset: Dataset, plan: RefitPlan) -> Path:
    """Fits a head on a bundle's embeddings and writes the next version with it; returns its directory.

    Args:
        bundle: gives the network and the other heads.
        dataset: images, labels and columns, decoded as the bundle says.
        plan: the rest. If the head replaces one with the same classes, their order stays.

    Raises:
        DataError: a column has another type in another head; the kind of head is not installed or is for another task;
            rows have several photos, and the bundle decides on one image.
        ExportError: an exported graph does not compute what the fitted model computes.
        OSError: the store cannot be written to.
    """
    _check_columns(bundle.manifest, dataset, plan.head.name)
    check_photos(bundle.manifest, dataset)
    for head in bundle.manifest.heads:
        if head.name == plan.head.name:
            dataset = dataset.in_order_of(head.classes)
    plan.store.mkdir(parents=True, exist_ok=True)
    watch, embedders = Stopwatch(), _Embedders(bundle, plan.cache)
    with watch.step("find copies and split"):
        prepared = prepare(dataset, plan.head.seed, plan.cache, bundle).checked()
    with watch.step("embed"):
        embedding = embedders.embed("fp32", prepared.dataset)
        embedded = Embedded(embedding, embedders.cache("fp32"), open_pooling(bundle))
    with keeping(embedding):
        results = _fit(bundle, prepared, embedded, embedders, plan=plan.head, watch=watch)
        with stage("write the bundle"):
            return write_with_head(bundle, results, plan.store)


def _fit(
    bundle: Bundle, prepared: Prepared, embedded: Embedded, embedders: _Embedders, *, plan: HeadPlan, watch: Stopwatch
) -> Results:
    """Fits and evaluates the head."""
    findings = None
    if plan.drop:
        with watch.step("look at the data"):
            findings = find_faults(prepared, embedded.embedding, plan.seed)
            prepared = drop_faults(prepared, findings, plan.drop, force=plan.force)
    with watch.step("fit the heads"):
        data = label_embeddings(prepared, embedded, seed=plan.seed)
        selection = select_head(data, plan)
    with watch.step("evaluate"):
        ablations = ablate(data, selection)
        evaluation = evaluate(selection.head, data, baseline_answers(data, selection, ablations))
    with watch.step("try the other precisions"):
        variants = _measured(bundle.manifest, selection.head.head, embedders, data)
    return Results(
        data=data,
        head=selection.head,
        evaluation=evaluation,
        variants=Variants(tuple(variants), {}),
        settings={"seed": plan.seed, **plan.as_settings(), **selection.as_settings()},
        seconds=watch.seconds,
        hardware=f"{os.cpu_count()} CPU cores",
        selection=selection,
        ablations=ablations,
        findings=findings,
    )


class _Embedders:
    """The bundle's embedder in each precision, with the embeddings that are kept."""

    def __init__(self, bundle: Bundle, root: Path) -> None:
        self._bundle = bundle
        self._root = root
        self._opened: dict[Precision, EmbeddingCache] = {}

    def cache(self, precision: Precision) -> EmbeddingCache:
        """The embeddings of one precision that are kept."""
        if precision not in self._opened:
            graph = self._bundle.embedder(precision)
            self._opened[precision] = EmbeddingCache(self._root, graph, self._bundle.manifest.input)
        return self._opened[precision]

    def embed(self, precision: Precision, dataset: Dataset, positions: Indices | None = None) -> Embedding:
        """Embeds all instances, or those at some positions, float32 `[N, W]`."""
        file = EMBEDDER_FILES[precision]
        session = cpu_session(self._bundle.embedder(precision), threads=os.cpu_count() or 1, file=file)
        embedder = Embedder.checked(session, self._bundle.manifest)
        pooling = open_pooling(self._bundle)
        return embed_instances(self.cache(precision), embedder, dataset, pooling, positions)


def _measured(manifest: Manifest, head: Head, embedders: _Embedders, data: TrainingData) -> list[Variant]:
    """The bundle's precisions, each with the head's figures on its embeddings of the test images."""
    named = {variant.precision for variant in manifest.variants}
    plain = [Variant(precision=precision, kept=True) for precision in manifest.precisions if precision not in named]
    test = data.uncopied_test
    trial, measured = Trial.test(data.dataset.images, head, data.at(test)), []
    for variant in [*manifest.variants, *plain]:
        figures = {name: value for name, value in variant.metrics.items() if name in ("ms_per_image", "size_bytes")}
        if variant.kept:
            figures |= trial.figures(embedders.embed(variant.precision, data.dataset, test))
        measured.append(variant.model_copy(update={"metrics": figures}))
    return measured


def _check_columns(manifest: Manifest, dataset: Dataset, name: str) -> None:
    """Checks that no column has another type in another head: a request gives a column once for all heads.

    Raises:
        DataError: one has.
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
