"""`training.stages.prepare`: what is split before a training, and what a network has seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.bundle.loading import Bundle
from tests.tiny_bundle import tiny_bundle
from tests.training.squares import squares
from training.clean.copies.perceptual_hash import hash_images
from training.data.dataset import Dataset
from training.data.seen_images import SEEN, find_seen, seen_file
from training.exceptions import DataError
from training.stages.prepare import prepare


def with_copies(count: int = 60) -> Dataset:
    """Of which 3 is 0 again, and 4 is 1."""
    dataset = squares(count, size=16)
    images = np.asarray(dataset.images).copy()
    images[3], images[4] = images[0], images[1]
    return replace(dataset, images=images)


def bundle_that_saw(dataset: Dataset, positions: list[int], folder: Path) -> Bundle:
    bundle = Bundle.open(tiny_bundle(folder))
    files = {**bundle.files, SEEN: seen_file(hash_images(dataset.images), np.array(positions))}
    return replace(bundle, files=files)


def test_copies_are_on_one_side_and_the_same_seed_splits_alike(tmp_path: Path) -> None:
    for seed in range(5):
        prepared = prepare(with_copies(), seed, tmp_path)
        assert np.isin([0, 3], prepared.parts.test).sum() in (0, 2)
        assert np.isin([1, 4], prepared.parts.test).sum() in (0, 2)
        assert prepare(with_copies(), seed, tmp_path).parts.test.tolist() == prepared.parts.test.tolist()
    assert [group.positions for group in prepared.copies.groups] == [(0, 3), (1, 4)]


def test_copies_and_groups_of_what_a_network_has_seen_count_as_seen(tmp_path: Path) -> None:
    dataset = with_copies()
    groups = np.arange(60)
    groups[[0, 9]] = 0
    bundle = bundle_that_saw(dataset, [0, 5], tmp_path)
    prepared = prepare(replace(dataset, groups=groups), 0, tmp_path, bundle)
    assert np.flatnonzero(prepared.seen).tolist() == [0, 3, 5, 9]
    assert np.isin([0, 3, 5, 9], prepared.parts.train).all()


def test_given_test_images_that_a_network_has_seen_or_a_copy_of_are_copied(tmp_path: Path) -> None:
    dataset = replace(with_copies(), official_test=np.array([1, 3, 5, 7]))
    prepared = prepare(dataset, 0, tmp_path, bundle_that_saw(dataset, [0, 5], tmp_path))
    assert prepared.parts.copied.tolist() == [1, 3, 5]


def test_a_bundle_that_does_not_say_what_its_network_has_seen_is_refused(tmp_path: Path) -> None:
    bundle = Bundle.open(tiny_bundle(tmp_path))
    fitted = replace(bundle, manifest=bundle.manifest.model_copy(update={"training": {"epochs": 3}}))
    with pytest.raises(DataError, match="tiny@1 does not say which images its network was fitted on; train it anew"):
        prepare(with_copies(), 0, tmp_path, fitted)
    assert not find_seen(bundle, hash_images(with_copies().images)).any(), "a network from elsewhere has seen none"


def test_images_that_the_network_was_all_fitted_on_are_refused(tmp_path: Path) -> None:
    dataset = squares(12)
    bundle = bundle_that_saw(dataset, list(range(12)), tmp_path)
    with pytest.raises(DataError, match="network was fitted on all of these images, so none can test it"):
        prepare(dataset, 0, tmp_path, bundle).checked()


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (
            replace(squares(12), groups=np.arange(12) % 3),
            "each of the 3 groups of images has a class that no other",
        ),
        (replace(squares(12), groups=np.zeros(12, np.int64)), "all images are of one group, and 3 are needed"),
        (
            replace(squares(12), groups=np.arange(12) // 6, official_test=np.array([0, 6])),
            "all 2 test images have a copy, or an image of their group, among the others",
        ),
        (replace(squares(12), official_test=np.arange(0, 12, 3)), "all images of 'blue' are test images"),
    ],
    ids=["one group a class", "one group", "groups torn apart", "a class in the test alone"],
)
def test_what_cannot_be_learnt_or_tested_is_refused(dataset: Dataset, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        prepare(dataset, 0, tmp_path).checked()
