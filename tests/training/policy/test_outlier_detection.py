"""`training.policy.outlier_detection`: what lies far from the training images is told, ordinary images seldom are, the
graph agrees."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi

from models.bundle.audit import audit_onnx
from models.runtime.head_sessions import OutlierDetector
from models.runtime.sessions import Embedding, cpu_session
from training.data.split import make_folds
from training.exceptions import ExportError
from training.policy.outlier_detection import (
    OutlierLimit,
    OutlierModel,
    cross_distances,
    export_outlier_model,
    fit_outlier_model,
    outlier_limit,
)

RANDOM = np.random.default_rng(5)


def groups(count: int, width: int, *, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings about a few centres, and which."""
    labels = np.arange(count) % classes
    centres = np.random.default_rng(1).normal(0, 4, (classes, width))
    spread = np.linspace(0.2, 2.0, width)
    return (centres[labels] + RANDOM.normal(0, 1, (count, width)) * spread).astype(np.float32), labels


@pytest.mark.parametrize("width", [8, 160], ids="{} numbers".format)
def test_images_like_those_of_training_are_near_and_others_far(width: int) -> None:
    embedding, labels = groups(900, width)
    model = fit_outlier_model(embedding, labels, seed=0)
    near = model(groups(300, width)[0])
    far = model(RANDOM.normal(0, 6, (300, width)).astype(np.float32))
    assert np.quantile(near, 0.98) < np.quantile(far, 0.02)


def test_without_classes_clusters_stand_for_them() -> None:
    embedding, _ = groups(900, 8)
    model = fit_outlier_model(embedding, None, seed=0)
    near, far = model(groups(300, 8)[0]), model(RANDOM.normal(0, 8, (300, 8)).astype(np.float32))
    assert np.quantile(near, 0.95) < np.median(far)


def test_more_classes_than_are_kept_apart_become_clusters() -> None:
    embedding, _ = groups(900, 8)
    assert len(fit_outlier_model(embedding, np.arange(900) % 70, seed=0).centres) == 10


@pytest.mark.parametrize("rows", [30, 600], ids="{} images".format)
@pytest.mark.parametrize("width", [8, 160], ids="{} numbers".format)
def test_the_graph_measures_the_same(width: int, rows: int) -> None:
    embedding, labels = groups(rows, width)
    model = fit_outlier_model(embedding, labels, seed=0)
    graph = export_outlier_model(model, embedding, "novelty-x.onnx")
    audit_onnx(graph, "novelty-x.onnx")
    others = np.concatenate([np.zeros((1, width)), RANDOM.normal(0, 9, (49, width))]).astype(np.float32)
    novelty = OutlierDetector.checked(cpu_session(graph), "novelty-x.onnx", width)
    np.testing.assert_allclose(novelty(others), model(others), rtol=1e-4)
    assert novelty(others).shape == (50,)


@pytest.mark.parametrize("rows", [2, 6], ids="{} images".format)
@pytest.mark.parametrize("width", [1, 8, 160], ids="{} numbers".format)
def test_few_images_and_equal_ones_give_finite_distances(width: int, rows: int) -> None:
    embedding = np.repeat(RANDOM.normal(0, 1, (2, width)).astype(np.float32), rows // 2, axis=0)
    model = fit_outlier_model(embedding, np.arange(rows) // (rows // 2), seed=0)
    export_outlier_model(model, embedding, "novelty-x.onnx")
    assert np.isfinite(model(RANDOM.normal(0, 1, (5, width)).astype(np.float32))).all()


class Off(OutlierModel):
    """What the graph does not compute."""

    def __call__(self, embedding: np.ndarray) -> np.ndarray:
        return super().__call__(embedding) + 1


def test_a_graph_that_measures_otherwise_is_refused() -> None:
    embedding, labels = groups(60, 8)
    with pytest.raises(ExportError, match=r"^novelty-x\.onnx does not compute what the fitted model computes"):
        export_outlier_model(Off(**vars(fit_outlier_model(embedding, labels, seed=0))), embedding, "novelty-x.onnx")


def detector_and_limit(
    embedding: Embedding,
    labels: np.ndarray | None,
    seed: int,
    base: Embedding | None = None,
    base_labels: np.ndarray | None = None,
) -> tuple[OutlierModel, OutlierLimit]:
    """What is served: fitted on all rows, with a limit from the distances of the held-out ones out of their folds."""
    base = embedding[:0] if base is None else base
    if labels is not None and base_labels is None:
        base_labels = labels[:0]
    rows = np.arange(len(embedding))
    folds = make_folds(rows * 0 if labels is None else labels, rows, 5, seed)
    far = cross_distances(
        embedding, labels, folds, np.ones(len(folds), bool), base=base, base_groups=base_labels, seed=seed
    )
    assert far.shape == (len(embedding),)
    every = None if labels is None or base_labels is None else np.concatenate([base_labels, labels])
    return fit_outlier_model(np.concatenate([base, embedding]), every, seed=seed), outlier_limit(far, 0.02)


class Features:
    """Embeddings as a network's: no number is below 0, a few are large in each class, and images differ in contrast."""

    def __init__(self, width: int, classes: int, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.levels = self.random.gamma(0.5, 1.0, (classes, width))
        self.others = self.random.gamma(0.5, 1.0, (20, width))

    def ordinary(self, labels: np.ndarray, spread: float = 1.0) -> Embedding:
        return self._of(self.levels[labels], spread)

    def strange(self, count: int) -> Embedding:
        return self._of(self.others[np.arange(count) % len(self.others)], 1.0)

    def _of(self, levels: np.ndarray, spread: float) -> Embedding:
        contrast = np.exp(self.random.normal(0, 0.2 * spread, (len(levels), 1)))
        noise = self.random.normal(0, 0.4 * spread, levels.shape)
        return (contrast * np.maximum(levels * (1 + noise), 0)).astype(np.float32)


@pytest.mark.parametrize("has_classes", [True, False], ids=["classes", "numbers"])
@pytest.mark.parametrize(("each", "least"), [(3, 0.25), (5, 0.5), (20, 0.7), (60, 0.9)], ids="{}".format)
@pytest.mark.parametrize("width", [32, 400], ids="{} numbers".format)
def test_few_ordinary_images_are_unfamiliar_and_most_strange_ones(
    width: int, each: int, least: float, has_classes: bool
) -> None:
    false, found = [], []
    for seed in range(6):
        features, labels = Features(width, 4, seed), np.arange(4 * each) % 4
        model, limit = detector_and_limit(features.ordinary(labels), labels if has_classes else None, seed)
        false.append((model(features.ordinary(np.arange(2000) % 4)) > limit.value).mean())
        found.append((model(features.strange(500)) > limit.value).mean())
    print(
        f"{width} numbers, {each} a class: {np.mean(false):.3f} of ordinary ones, {np.mean(found):.3f} of strange ones"
    )
    assert np.mean(false) <= 0.06
    assert np.mean(found) >= least


def test_images_that_the_network_was_fitted_on_set_no_limit() -> None:
    """They lie closer together than new ones do."""
    false, found = [], []
    for seed in range(6):
        features, labels, seen = Features(32, 4, seed), np.arange(200) % 4, np.arange(2000) % 4
        base = features.ordinary(seen, spread=0.3)
        model, limit = detector_and_limit(features.ordinary(labels), labels, seed, base, seen)
        false.append((model(features.ordinary(seen)) > limit.value).mean())
        found.append((model(features.strange(500)) > limit.value).mean())
    assert np.mean(false) <= 0.04
    assert np.mean(found) >= 0.9


def test_two_classes_told_apart_without_error_are_familiar() -> None:
    random = np.random.default_rng(0)

    def apart(count: int) -> Embedding:
        return (np.eye(2)[np.arange(count) % 2] @ np.ones((2, 32)) + 1e-3 * random.normal(size=(count, 32))).astype(
            "f4"
        )

    model, limit = detector_and_limit(apart(60), np.arange(60) % 2, 0)
    assert (model(apart(1000)) > limit.value).mean() <= 0.06
    assert (model(random.normal(0, 1, (100, 32)).astype(np.float32)) > limit.value).all()


def test_a_row_is_judged_by_the_base_and_the_other_folds() -> None:
    (embedding, labels), (base, seen) = groups(40, 8), groups(60, 8)
    folds = np.arange(40) % 3
    far = cross_distances(embedding, labels, folds, np.ones(len(folds), bool), base=base, base_groups=seen, seed=0)
    others = folds != 1
    rest, known = np.concatenate([base, embedding[others]]), np.concatenate([seen, labels[others]])
    np.testing.assert_array_equal(far[~others], fit_outlier_model(rest, known, seed=0)(embedding[~others]))


def test_a_class_of_one_row_is_judged_by_the_others() -> None:
    embedding, labels = groups(31, 8)
    labels[30] = 3
    far = cross_distances(
        embedding, labels, np.arange(31) % 5, np.ones(31, bool), base=embedding[:0], base_groups=labels[:0], seed=0
    )
    assert np.isfinite(far).all()
    without = cross_distances(
        embedding, labels, np.arange(31) % 5, np.ones(31, bool), base=embedding[:0], base_groups=None, seed=0
    )
    np.testing.assert_array_equal(far, without)


def test_more_classes_than_are_kept_apart_are_clusters_in_every_fold() -> None:
    embedding, _ = groups(130, 8)
    labels, folds = np.arange(130) % 65, (np.arange(130) % 65 >= 32).astype(np.int64)
    nothing = {"base": embedding[:0], "seed": 0}
    fitted = np.ones(len(folds), bool)
    far = cross_distances(embedding, labels, folds, fitted, base_groups=labels[:0], **nothing)
    np.testing.assert_array_equal(far, cross_distances(embedding, None, folds, fitted, base_groups=None, **nothing))


@pytest.mark.parametrize("count", [5, 20, 100, 300, 3000], ids="{} distances".format)
def test_the_interval_holds_the_true_rate_of_the_limit(count: int) -> None:
    distances = chi(30)
    limits = [outlier_limit(distances.rvs(count, random_state=seed), 0.02) for seed in range(400)]
    true = np.array([distances.sf(limit.value) for limit in limits])
    held = np.mean([limit.low <= rate <= limit.high for limit, rate in zip(limits, true, strict=True)])
    print(f"{count} distances: rate {true.mean():.4f}, in the interval {held:.3f}")
    assert held >= 0.93
    assert 0.005 <= true.mean() <= 0.025
    assert {limit.held_out for limit in limits} == {count}


@pytest.mark.parametrize("distances", [[3.0], [2.0, 2.0], [0.0, 0.0, 1e9]], ids=["one", "equal ones", "uneven ones"])
@pytest.mark.parametrize("false_alarms", [1e-9, 0.02, 0.5, 1.0])
def test_a_limit_is_finite_and_at_most_as_many_are_beyond_it(distances: list[float], false_alarms: float) -> None:
    limit = outlier_limit(np.array(distances, np.float32), false_alarms)
    assert np.isfinite(limit.value)
    assert limit.value >= 0
    assert (np.array(distances) > limit.value).sum() <= len(distances) * false_alarms
    assert 0 <= limit.low < limit.high <= 1


@pytest.mark.slow
@pytest.mark.parametrize("each", [5, 10, 20, 50, 120], ids="{} images a class".format)
def test_on_a_pretrained_network_false_alarms_are_as_rare_as_promised(lite: dict[str, np.ndarray], each: int) -> None:
    beyond: dict[str, list[float]] = {"unseen": [], "digits": [], "noise": []}
    for seed in range(5):
        random = np.random.default_rng(seed)
        rows = np.concatenate(
            [random.permutation(np.flatnonzero(lite["labels"] == label))[:each] for label in range(10)]
        )
        model, limit = detector_and_limit(lite["known"][rows], lite["labels"][rows], seed)
        for name, rates in beyond.items():
            rates.append(float((model(lite[name]) > limit.value).mean()))
    print(f"{each} a class:", {name: [round(rate, 3) for rate in rates] for name, rates in beyond.items()})
    assert np.mean(beyond["unseen"]) <= 0.06
    assert min(np.mean(beyond["digits"]), np.mean(beyond["noise"])) >= (0.6 if each >= 50 else 0.3)
