"""embeddings and labels ──▶ the best head, finished and measured: what all trainings share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from models.bundle.examples import Examples
from models.columns import Column
from models.runtime.sessions import Embedding, Probabilities
from training.data.dataset import Dataset
from training.data.images import Indices
from training.data.seen_images import WHY_FEWER
from training.data.split import Split
from training.exceptions import DataError
from training.export.example_selection import COUNT, choose_examples, make_examples
from training.heads.head_fit import Fitting
from training.heads.labelled_embeddings import LabelledEmbeddings, embeddings_of
from training.heads.registry import AUTO, BEST, REGISTRY, kinds_for
from training.heads.selection.boosting import separate_parts
from training.heads.selection.candidates import Candidate
from training.heads.selection.head_choice import cheapest_as_good
from training.heads.selection.repeated import repeat
from training.heads.selection.search import Search, check_weights, fit_heads
from training.heads.sources import Source, make_sources
from training.network.embedding_cache import EmbeddingCache, keys_of
from training.policy.policies import Aims
from training.policy.target_transform import Asked, better_transform, transforms
from training.workflows.finishing import Finished, finish
from training.workflows.prepare import Prepared

NAME = "category"
Balance = Literal["none", "weights"]
Part = Literal["image", "columns"]
Named = tuple[str, Candidate]
"""A candidate with the name of the source that it was judged on."""


@dataclass(frozen=True)
class HeadPlan:
    """Which head to fit, and for what.

    Attributes:
        kind: of the registry; `best` tries all of them and a blend, on the source that is best for the default ones.
        name: the head's.
        aims: of its policy.
        examples: how many training images to keep for explanations; 0 for none.
        thumbnails: whether to keep pictures of them.
        seed: of whatever is random.
    """

    kind: str
    name: str = NAME
    aims: Aims = Aims()  # noqa: RUF009 (frozen)
    examples: int = COUNT
    thumbnails: bool = False
    drop: tuple[str, ...] = ()
    """Kinds of `training.clean.findings.finding_kinds`, whose images are left out, unless they are test images."""
    force: bool = False
    """Whether label issues are dropped even if few of them are believed."""
    balance: Balance = "none"
    """`weights`: each class weighs the same in the fit, and in the choice of the head."""
    target_transform: Asked = "auto"
    """Whether numbers are told through their logarithms; `auto` where that is better."""
    seed: int = 0

    def check(self, dataset: Dataset) -> None:
        """Whether the head can be fitted to a data set, before anything is.

        Raises:
            DataError: the kind is not installed, does another task or cannot weigh classes; an aim or a setting is
                of classes and the labels are numbers, or the other way round; a class of the aims is none.
        """
        kinds, classes = kinds_for(self.kind, dataset), dataset.classes
        self.aims.check(classes)
        if self.balance == "weights" and not classes:
            raise DataError("--balance weights weighs classes, but the labels are numbers")
        if self.balance == "weights" and self.kind != BEST:
            check_weights(kinds)
        if classes and self.target_transform != "auto":
            raise DataError(f"--target-transform {self.target_transform} is of numbers, but the labels are classes")
        if not classes:
            transforms(dataset.labels, self.target_transform)

    def as_settings(self) -> dict[str, object]:
        """As the manifest tells it."""
        dropped = {"dropped": list(self.drop)} if self.drop else {}
        balanced = {} if self.balance == "none" else {"balance": self.balance}
        transform = {} if self.target_transform == "auto" else {"target transform": self.target_transform}
        return {**self.aims.as_settings(), **balanced, **transform, **dropped}


@dataclass(frozen=True)
class Material:
    """What a head is taught with.

    Attributes:
        dataset: names classes and columns.
        parts: how it is split.
        embedding: of all its images, float32 `[N, D]`.
        judged: positions of the images by which heads and policies are chosen, in the order of the sources' rows.
        sources: what heads may be fitted on, by name; all of them judge by the same images.
        cache: has pictures of the images.
        why_fewer: why not all images that are no test images judge; empty where they do.
    """

    dataset: Dataset
    parts: Split
    embedding: Embedding
    judged: Indices
    sources: Mapping[str, Source]
    cache: EmbeddingCache
    why_fewer: str = ""

    @property
    def test(self) -> LabelledEmbeddings:
        """The test images."""
        return self.at(self.parts.test)

    @property
    def counted(self) -> Indices:
        """Positions of the test images of which no other part has a copy."""
        return np.setdiff1d(self.parts.test, self.parts.copied)

    def at(self, positions: Indices) -> LabelledEmbeddings:
        """The images at some positions."""
        return embeddings_of(self.dataset, self.embedding, positions)

    def thumbnails(self, positions: Indices) -> list[bytes]:
        """Pictures of the images at some positions, encoded."""
        keys = keys_of(self.dataset)
        return self.cache.thumbnails([keys[position] for position in positions])


@dataclass(frozen=True)
class Taught:
    """The best head as it is served, and what it was chosen from.

    Attributes:
        head: as it is served.
        candidates: all of them, the chosen one first.
        source: of the chosen one.
        fitting: how they were fitted.
    """

    head: Finished
    candidates: list[Candidate]
    source: Source
    fitting: Fitting

    def as_settings(self) -> dict[str, object]:
        """What was chosen, as the manifest tells it."""
        transform = {"target transform": "log"} if self.fitting.is_log else {}
        return {"head": self.candidates[0].name, **transform}


@dataclass(frozen=True)
class Alone:
    """A head on a part of what there is.

    Attributes:
        part: the one.
        candidate: what it would be, judged by the same rows as the head itself.
        answers: of it on the test images, calibrated as the head's, `[T, K]` or `[T, 1]`.
    """

    part: Part
    candidate: Candidate
    answers: Probabilities

    @property
    def title(self) -> str:
        """For a person."""
        return f"{self.candidate.kind.title} on the {self.part} alone"


def material_of(prepared: Prepared, embedding: Embedding, cache: EmbeddingCache, *, seed: int) -> Material:
    """Material in which all images judge that are no test images and that the network has not seen."""
    dataset, parts = prepared.dataset, prepared.parts
    known, unfitted = parts.known, prepared.unfitted
    seen = known[prepared.seen[known]]
    judged = np.setdiff1d(np.union1d(known, unfitted), np.flatnonzero(prepared.seen))
    rows = {"training images": embeddings_of(dataset, embedding, seen)} if len(seen) else {}
    found = make_sources(dataset, embedding, judged, rows, seed=seed, unfitted=unfitted)
    return Material(dataset, parts, embedding, judged, found, cache, WHY_FEWER if len(seen) else "")


def teach(material: Material, plan: HeadPlan) -> Taught:
    """Judges every candidate, and finishes the best.

    Raises:
        DataError: the kind is not installed, or does another task; the costs or limits name an unknown label.
        ExportError: a graph computes something else than what was fitted.
    """
    dataset = material.dataset
    fitting = Fitting(len(dataset.classes), dataset.columns, plan.seed, is_balanced=plan.balance == "weights")
    fitting, found = _candidates(material, plan, fitting)
    name, best = _best(found, plan)
    source = material.sources[name]
    head = finish(best, dataset, source, _examples(material, plan), name=plan.name, aims=plan.aims, seed=plan.seed)
    others = sorted((candidate for _, candidate in found if candidate is not best), key=lambda each: each.loss)
    return Taught(head, [best, *others], source, fitting)


def alone(material: Material, taught: Taught) -> list[Alone]:
    """The same head on the image alone and on the columns alone; nothing where there are no columns.

    Setting and rounds of trees are those of the head, as a search for each would take as long as that for the head. A
    kind that looks at the columns alone is that already: what the image alone tells, trees on a linear margin find.
    """
    dataset, source, test = material.dataset, taught.source, material.test
    if not dataset.columns:
        return []
    chosen = taught.candidates[0]
    parts: list[tuple[Part, Sequence[Column], int | None]] = [("image", (), None)]
    if not chosen.kind.needs_columns:
        parts.append(("columns", dataset.columns, 0))
    shown = []
    for part, columns, width in parts:
        narrow = source.narrowed(width, with_columns=bool(columns))
        candidate = _again(taught, narrow, replace(taught.fitting, columns=columns))
        shown.append(Alone(part, candidate, candidate.finished(narrow)(test.embedding[:, :width], test.rows)))
    return shown


def _again(taught: Taught, narrow: Source, fitting: Fitting) -> Candidate:
    """The head on a part of what there is; for one that looks at columns alone, trees on a linear margin."""
    chosen = taught.candidates[0]
    if not chosen.kind.needs_columns:
        return repeat(chosen, narrow, fitting)
    kind = REGISTRY["boosted_linear"]
    like = next((each for each in taught.candidates if each.is_choice and each.kind is kind), None)
    return fit_heads([kind], narrow, fitting)[0] if like is None else repeat(like, narrow, fitting)


def outputs_beside(material: Material, taught: Taught, shown: Sequence[Alone]) -> dict[str, Probabilities]:
    """Answers on the test images beside those of a head, by name, `[T, K]` or `[T, 1]`: of its parts, and of less."""
    test = material.test
    apart = separate_parts(taught.candidates[0], taught.source) if len(test) else {}
    parts = {name: head(test.embedding, test.rows) for name, head in apart.items()}
    return {**parts, **{each.title: each.answers for each in shown}}


def _fit(material: Material, plan: HeadPlan, fitting: Fitting) -> list[Named]:
    """Candidates with the source each was judged on: the default kinds on all sources, the others on the best one."""
    wanted = kinds_for(plan.kind, material.dataset)
    if plan.kind == BEST and fitting.is_balanced:
        wanted = [kind for kind in wanted if kind.takes_weights]
    first = [kind for kind in kinds_for(AUTO, material.dataset) if kind in wanted] if plan.kind == BEST else wanted
    searches = {}
    for name, source in material.sources.items():
        told = ["of logarithms"] if fitting.is_log else []
        told += [f"fitted on {name}"] if len(material.sources) > 1 else []
        searches[name] = Search(source, fitting, ", ".join(told))
        searches[name].choose(first)
    best = min(searches.values(), key=lambda search: search.candidates[0].loss)
    if plan.kind == BEST:
        best.choose([kind for kind in wanted if kind not in first])
        best.blend()
    return [(name, each) for name, search in searches.items() for each in search.candidates]


def _candidates(material: Material, plan: HeadPlan, fitting: Fitting) -> tuple[Fitting, list[Named]]:
    """Candidates; of numbers those that name them through logarithms or not, as is asked for or better for the best."""
    labels = material.dataset.labels
    if material.dataset.classes:
        return fitting, _fit(material, plan, fitting)
    fittings = [
        replace(fitting, is_log=transform == "log")
        for transform in transforms(labels[material.parts.known], plan.target_transform)
    ]
    tried = [_fit(material, plan, each) for each in fittings]
    chosen = 0
    if len(tried) > 1:
        plain, logged = (_best(found, plan)[1].answers[:, 0] for found in tried)
        chosen = int(better_transform(labels[material.judged], plain, logged) == "log")
    return fittings[chosen], tried[chosen]


def _best(found: list[Named], plan: HeadPlan) -> Named:
    """The choice of the least loss; of all kinds the cheapest choice that is as good."""
    choices = [each for each in found if each[1].is_choice]
    if plan.kind != BEST:
        return min(choices, key=lambda each: each[1].loss)
    serves = cheapest_as_good([candidate for _, candidate in choices])
    return next(each for each in choices if each[1] is serves)


def _examples(material: Material, plan: HeadPlan) -> Examples | None:
    if not plan.examples:
        return None
    labels, known = material.dataset.labels, material.parts.known
    is_number = not material.dataset.classes
    chosen = choose_examples(labels, known, plan.examples, is_number=is_number, seed=plan.seed)
    thumbnails = material.thumbnails(chosen) if plan.thumbnails else None
    baseline = np.asarray(material.embedding[known].mean(0), np.float32)
    return make_examples(material.embedding[chosen], labels[chosen], baseline, thumbnails)
