"""embeddings and labels ──▶ the best head, finished and measured: what all trainings share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.examples import Examples
from models.sessions import Embedding, Probabilities
from training.catalogue import BEST, CATALOGUE, DEFAULT, asked_for, installed
from training.dataset import Dataset
from training.embedding_cache import EmbeddingCache, keys_of
from training.examples import COUNT, choose_examples, make_examples
from training.finish import Evidence, Finished, finish
from training.heads import Candidate, Lesson, fit_classifier, fit_classifiers, fit_regressor, fit_regressors
from training.images import Indices
from training.policies import Aims
from training.split import Split

NAME = "category"


@dataclass(frozen=True)
class HeadPlan:
    """Which head to fit, and for what.

    Attributes:
        kind: of the catalogue; `best` tries all of them on the source of embeddings that is best for one.
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
    """Kinds of `training.clean.kinds`, whose training and validation images are left out."""
    seed: int = 0

    def as_settings(self) -> dict[str, object]:
        """As the manifest tells it."""
        dropped = {"dropped": list(self.drop)} if self.drop else {}
        return {**self.aims.as_settings(), **dropped}


@dataclass(frozen=True)
class Material:
    """What a head is taught with.

    Attributes:
        dataset: names classes and columns.
        parts: how it is split.
        embedding: of all its images, float32 `[N, D]`.
        sources: what heads may be fitted on, by name; the best one is taken.
        judge: held out, for the choice and for thresholds.
        cache: has pictures of the images.
    """

    dataset: Dataset
    parts: Split
    embedding: Embedding
    sources: Mapping[str, Lesson]
    judge: Lesson
    cache: EmbeddingCache

    @property
    def test(self) -> Lesson:
        """The test images."""
        return lesson_of(self.dataset, self.embedding, self.parts.test)

    def thumbnails(self, positions: Indices) -> list[bytes]:
        """Pictures of the images at some positions, encoded."""
        keys = keys_of(self.dataset)
        return self.cache.thumbnails([keys[position] for position in positions])


@dataclass(frozen=True)
class Taught:
    """The best head as it is served, and all candidates for it, the best one first."""

    head: Finished
    candidates: list[Candidate]


def lesson_of(dataset: Dataset, embedding: Embedding, positions: Indices) -> Lesson:
    """The images at some positions as a lesson; embedding is that of all images `[N, D]`."""
    return Lesson(embedding[positions], dataset.labels[positions], dataset.beside(positions))


def teach(material: Material, plan: HeadPlan) -> Taught:
    """Fits every candidate, and finishes the best.

    Raises:
        DataError: the kind is not installed, or does another task; the costs name an unknown label.
        ExportError: a graph computes something else than what was fitted.
    """
    found = _fit(material, plan)
    source, best = min(found, key=lambda each: each[1].loss)
    evidence = Evidence(material.sources[source], material.judge, _examples(material, plan))
    head = finish(best, material.dataset, evidence, name=plan.name, aims=plan.aims, seed=plan.seed)
    others = sorted((candidate for _, candidate in found if candidate is not best), key=lambda each: each.loss)
    return Taught(head, [best, *others])


def alone(material: Material, head: Finished, seed: int) -> dict[str, Probabilities]:
    """What the same kind of head makes of the image alone and of the columns alone, `[T, K]` on the test images."""
    kind, test, columns = CATALOGUE[head.spec.kind], material.test, material.dataset.columns
    if not columns:
        return {}
    fit = fit_classifier if material.dataset.classes else fit_regressor
    maker = next(iter(kind.makers(material.dataset.task).values()))
    lesson = next(iter(material.sources.values()))
    image = fit(kind, maker, Lesson(lesson.embedding, lesson.labels), seed=seed)
    beside = fit(kind, maker, Lesson(lesson.embedding[:, :0], lesson.labels, lesson.rows), columns=columns, seed=seed)
    return {
        f"{kind.title} on the image alone": image(test.embedding),
        f"{kind.title} on the columns alone": beside(test.embedding[:, :0], test.rows),
    }


def _fit(material: Material, plan: HeadPlan) -> list[tuple[str, Candidate]]:
    """Candidates with the source each was fitted on."""
    dataset = material.dataset
    fit = fit_classifiers if dataset.classes else fit_regressors
    wanted = asked_for(plan.kind, dataset.task)
    default = CATALOGUE[DEFAULT]
    first = [default] if plan.kind == BEST and default in wanted else wanted

    def fit_on(source: str, kinds: list) -> list[tuple[str, Candidate]]:  # type: ignore[type-arg]
        suffix = f"fitted on {source}" if len(material.sources) > 1 else ""
        lesson = material.sources[source]
        candidates = fit(kinds, lesson, material.judge, columns=dataset.columns, seed=plan.seed, suffix=suffix)
        return [(source, candidate) for candidate in candidates]

    found = [each for source in material.sources for each in fit_on(source, first)]
    if plan.kind == BEST:
        best, _ = min(found, key=lambda each: each[1].loss)
        found += fit_on(best, [kind for kind in installed(dataset.task) if kind not in first])
    return found


def _examples(material: Material, plan: HeadPlan) -> Examples | None:
    if not plan.examples:
        return None
    labels, train = material.dataset.labels, material.parts.train
    is_number = not material.dataset.classes
    chosen = choose_examples(labels, train, plan.examples, is_number=is_number, seed=plan.seed)
    thumbnails = material.thumbnails(chosen) if plan.thumbnails else None
    baseline = np.asarray(material.embedding[train].mean(0), np.float32)
    return make_examples(material.embedding[chosen], labels[chosen], baseline, thumbnails)
