"""Promises at full size, printed by `pytest -m slow -s`: of the default bundle over resplits, and of a rare class."""

from __future__ import annotations

import os

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from models.bundle.input_spec import InputSpec
from models.bundle.loading import Bundle
from models.bundle.store import DEFAULT_ROOT, Store
from models.policy import as_served
from models.runtime.head_sessions import open_head, open_outlier_detector
from models.runtime.sessions import Embedder, cpu_session
from training.data import fashion_mnist
from training.data.dataset import Dataset
from training.data.split import split
from training.export.exported_head import accepted
from training.heads.sources import make_sources
from training.policy.policies import HeldOut, PolicyTargets, choose_policy
from training.stages.head_plan import HeadPlan
from training.stages.model_selection import select_head
from training.stages.training_data import TrainingData

pytestmark = pytest.mark.slow

RESPLITS, SEEDS, PHOTOS = 200, 30, 120


@pytest.fixture(scope="module")
def unseen() -> HeldOut:
    """What the default bundle answers on the 10,000 test images, which neither its network nor its heads have seen."""
    if not fashion_mnist.DEBIAN_FOLDER.is_dir() and fashion_mnist.FOLDER_VARIABLE not in os.environ:
        pytest.skip("the data set is not installed: Debian's package dataset-fashion-mnist")
    bundle, dataset = Bundle.open(Store(DEFAULT_ROOT).path("fashion-mnist")), fashion_mnist.load()
    rows, spec = dataset.official_test, bundle.manifest.default_head
    embed, novelty = Embedder(cpu_session(bundle.embedder("fp32"))), open_outlier_detector(bundle, spec)
    assert rows is not None
    embedding = np.concatenate([embed(dataset.images[each]) for each in np.array_split(rows, 32)])
    assert novelty is not None
    familiar = novelty(embedding) <= spec.policy.max_distance
    return HeldOut(open_head(bundle, spec)(embedding), dataset.labels[rows], familiar, spec.classes)


def part(held: HeldOut, rows: np.ndarray) -> HeldOut:
    return HeldOut(held.answers[rows], held.labels[rows], held.can_accept[rows], held.classes)


@pytest.mark.parametrize(
    ("target", "count", "least"),
    [
        (0.99, 300, 0.0),  # too few: 299 would have to be right and accepted
        (0.99, 1000, 0.5),
        (0.99, 3000, 0.7),
        (0.99, 6000, 0.75),
        (0.95, 300, 0.8),
        (0.95, 6000, 0.9),
    ],
)
def test_the_default_bundle_keeps_its_target_over_resplits(
    unseen: HeldOut, target: float, count: int, least: float
) -> None:
    right, confidence = unseen.answers.argmax(1) == unseen.labels, as_served(unseen.answers).max(1)
    random, missed, coverage = np.random.default_rng(count), 0, []
    for _ in range(RESPLITS):
        held_out, others = np.split(random.permutation(len(right)), [count])
        policy, _ = choose_policy(part(unseen, held_out), PolicyTargets(target_precision=target), max_distance=None)
        assert not policy.min_confidence_of
        takes = unseen.can_accept[others] & (confidence[others] >= policy.min_confidence)
        missed += takes.any() and right[others][takes].mean() < target
        coverage.append(takes.mean())
    print(
        f"target {target}, {count} rows held out: missed in {missed / RESPLITS:.3f} of {RESPLITS} resplits, "
        f"accepted {np.mean(coverage):.3f}, something in {np.mean(np.array(coverage) > 0):.3f}"
    )
    assert missed / RESPLITS <= 0.07
    assert np.mean(coverage) >= least


def first_photos(lite: dict[str, np.ndarray], seed: int) -> TrainingData:
    """120 images a class, a fifth of which is kept for a test, as `python -m training pretrained` does."""
    random = np.random.default_rng(seed)
    rows = np.concatenate([random.permutation(np.flatnonzero(lite["labels"] == label))[:PHOTOS] for label in range(10)])
    embedding, labels = lite["known"][rows], lite["labels"][rows]
    images = np.zeros((len(rows), 1, 1, 1), np.uint8)
    spec = InputSpec(height=1, width=1, channels=1)
    dataset = Dataset("clothes", images, labels, fashion_mnist.CLASSES, spec)
    parts = split(dataset, seed)
    found = make_sources(dataset, embedding, parts.known, {}, seed=seed)
    return TrainingData(dataset, parts, embedding, parts.known, found, cache=None)  # type: ignore[arg-type]


def test_what_is_promised_of_the_first_photos_holds_on_others(lite: dict[str, np.ndarray]) -> None:
    """The whole way from embeddings to a policy; the truth is 2,000 images that nothing was fitted on or chosen by."""
    kept, shown, precision, coverage = 0, 0, [], []
    for seed in range(SEEDS):
        plan = HeadPlan("logistic_regression", targets=PolicyTargets(target_precision=0.95), examples=0, seed=seed)
        head = select_head(first_photos(lite, seed), plan).head
        found = head.head(lite["unseen"])
        takes = accepted(head.spec, found, head.distances(lite["unseen"]))
        assert head.held_out is not None
        assert head.held_out.promise is not None
        assert takes.any() == head.held_out.promise.shown
        shown += head.held_out.promise.shown
        precision.append((found.argmax(1) == lite["unseen_labels"])[takes].mean() if takes.any() else 1.0)
        coverage.append(takes.mean())
        kept += precision[-1] >= 0.95
    print(
        f"target 0.95, 960 images held out: kept in {kept / SEEDS:.3f} of {SEEDS} seeds, right "
        f"{np.mean(precision):.3f}, at least {min(precision):.3f}; "
        f"something accepted in {shown / SEEDS:.3f}, accepted {np.mean(coverage):.3f}"
    )
    assert kept / SEEDS >= 0.93
    assert shown == SEEDS
    assert np.mean(coverage) > 0.3


def draw(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of two classes, 1 in 200 being rare and 3 standard deviations away."""
    labels = (random.random(count) < 1 / 200).astype(np.int64)
    embedding = random.normal(size=(count, 8))
    embedding[:, 0] += 3 * labels
    return embedding, labels


def test_a_rare_class_is_not_missed_more_often_than_promised() -> None:
    kept, shares, unbound, coverage = 0, [], [], []
    for seed in range(SEEDS):
        random, head = np.random.default_rng(seed), LogisticRegression()
        embedding, labels = draw(random, 20_000)
        folds = StratifiedKFold(5, shuffle=True, random_state=seed)
        found = cross_val_predict(head, embedding, labels, cv=folds, method="predict_proba").astype(np.float32)
        held = HeldOut(found, labels, np.ones(len(labels), bool), ("common", "rare"))
        policy, promise = choose_policy(held, PolicyTargets(max_missed={"rare": 0.05}), max_distance=None)
        assert promise is not None
        assert promise.missed[0].shown
        fresh, truth = draw(random, 200_000)
        served = as_served(head.fit(embedding, labels).predict_proba(fresh).astype(np.float32))
        answers, rare = served.argmax(1), truth == 1
        takes = served.max(1) >= policy.min_confidence
        takes &= (answers == 1) | (served[:, 1] < policy.review_from["rare"])
        shares.append((takes & (answers == 0))[rare].mean())
        unbound.append((answers == 0)[rare].mean())
        coverage.append(takes.mean())
        kept += shares[-1] <= 0.05
    print(
        f"of the rare class {np.mean(shares):.3f} accepted as the other, at most {max(shares):.3f}; without a bound "
        f"{np.mean(unbound):.3f}; kept in {kept / SEEDS:.3f} of {SEEDS} seeds, accepted {np.mean(coverage):.3f}"
    )
    assert kept / SEEDS >= 0.93
    assert min(coverage) > 0.1
    assert np.mean(unbound) > 0.3
