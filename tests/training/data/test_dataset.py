"""`training.data.dataset`: images, labels and what belongs to them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.squares import squares
from training.data.dataset import Dataset, subset
from training.exceptions import DataError


def unbalanced(*counts: int) -> Dataset:
    """A data set whose class i has `counts[i]` images; each image is its own number."""
    labels = np.repeat(np.arange(len(counts)), counts)
    images = np.zeros((len(labels), 2, 2, 1), np.uint8)
    images[:, 0, 0, 0] = np.arange(len(labels))
    return replace(squares(2), images=images, labels=labels, classes=tuple("abcdef"[: len(counts)]))


def per_class(dataset: Dataset, positions: np.ndarray) -> list[int]:
    return list(np.bincount(dataset.labels[positions], minlength=len(dataset.classes)))


def test_a_subset_has_the_classes_in_their_shares() -> None:
    part = subset(unbalanced(80, 40), 30, seed=0)
    assert per_class(part, np.arange(len(part.labels))) == [20, 10]


def test_a_subset_keeps_each_image_with_its_label() -> None:
    dataset = unbalanced(80, 40)
    part = subset(dataset, 30, seed=0)
    assert part.labels.tolist() == dataset.labels[part.images[:, 0, 0, 0]].tolist()


def test_a_subset_keeps_each_image_with_its_file() -> None:
    dataset = unbalanced(80, 40)
    named = replace(dataset, files=tuple(f"{row}.png" for row in range(120)))
    part = subset(named, 30, seed=0)
    assert [dataset.labels[int(file.removesuffix(".png"))] for file in part.files] == part.labels.tolist()
    assert subset(dataset, 30, seed=0).files == ()


def test_a_subset_takes_as_large_a_share_of_a_published_test_set() -> None:
    dataset = replace(unbalanced(80, 80), official_test=np.concatenate([np.arange(40), np.arange(80, 120)]))
    part = subset(dataset, 40, seed=0)
    assert part.official_test is not None
    assert dataset.official_test is not None
    assert len(part.labels) == 80
    assert np.isin(part.images[part.official_test, 0, 0, 0], dataset.official_test).all()
    assert len(part.official_test) == 40


def test_a_subset_keeps_two_images_of_a_rare_class() -> None:
    part = subset(unbalanced(200, 3), 20, seed=0)
    assert per_class(part, np.arange(len(part.labels)))[1] == 2


def test_a_subset_larger_than_the_data_is_the_data() -> None:
    dataset = unbalanced(5, 5)
    assert subset(dataset, 10, seed=0) is dataset


@pytest.mark.parametrize("limit", [-1, 0, 5])
def test_a_subset_of_less_than_two_images_a_class_is_refused(limit: int) -> None:
    with pytest.raises(DataError, match=f"{limit} images are too few for 3 classes; take at least 6"):
        subset(unbalanced(5, 5, 5), limit, seed=0)


def test_the_fingerprint_tells_pixels_labels_and_names_apart() -> None:
    dataset = unbalanced(5, 5)
    others = [
        replace(dataset, images=dataset.images + np.uint8(1)),
        replace(dataset, labels=1 - dataset.labels),
        replace(dataset, classes=("a", "c")),
    ]
    prints = {each.fingerprint() for each in (dataset, unbalanced(5, 5), *others)}
    assert len(prints) == 4


def test_the_same_classes_take_another_order_and_others_stay() -> None:
    dataset = squares(9)
    turned = dataset.in_order_of(("red", "blue", "green"))
    assert [turned.named(label) for label in turned.labels] == [dataset.named(label) for label in dataset.labels]
    assert turned.classes == ("red", "blue", "green")
    assert dataset.in_order_of(("red", "blue")) is dataset


@pytest.mark.parametrize(
    ("kind", "expected"), [("stretch", [3.0, 0.5]), ("pad", [1.0, 1.0]), ("crop", [1.0, 1.0])], ids=str
)
def test_only_stretched_images_are_shown_with_other_proportions(kind: str, expected: list[float]) -> None:
    dataset = squares(2)
    spec = dataset.input.model_copy(update={"fit": kind})
    named = replace(dataset, input=spec, keys=(b"wide", b"tall"), aspects={b"wide": 3.0, b"tall": 0.5})
    assert named.aspects_at(np.arange(2)) == expected


def test_copies_are_looked_for_without_padding() -> None:
    dataset = squares(2, size=16)
    images = np.full((2, 16, 16, 3), 255, np.uint8)
    images[0, 6:10] = dataset.images[0, 6:10]  # four times as wide as high
    images[1, :, 4:12] = dataset.images[1, :, 4:12]  # twice as high as wide
    aspects = {b"wide": 4.0, b"tall": 0.5}
    padded = replace(dataset, images=images, keys=tuple(aspects), aspects=aspects)
    assert padded.as_compared() is images
    spec = dataset.input.model_copy(update={"fit": "pad"})
    found = replace(padded, input=spec).as_compared()[np.arange(2)]
    assert found.shape == images.shape
    assert (found.min((1, 2, 3)) < 100).all()
    assert (found < 250).any(axis=3).all(), "nothing of the padding is left"
    assert replace(padded, input=spec, keys=(), aspects={}).as_compared() is images
