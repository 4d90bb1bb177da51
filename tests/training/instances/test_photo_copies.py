"""`training.instances.photo_copies`: instances that share a photo are copies of each other."""

from __future__ import annotations

import numpy as np

from tests.training.squares import squares
from training.clean.copies.duplicates import Copies, Group
from training.clean.copies.perceptual_hash import hash_images
from training.instances.instance_photos import Photos
from training.instances.photo_copies import instance_copies

IMAGES = squares(9).images
PHOTOS = Photos(IMAGES, (), np.array([2, 1, 3, 1, 2]))
"""Photos 0 and 1 are of instance 0, 2 of 1, 3 to 5 of 2, 6 of 3, 7 and 8 of 4."""


def groups_of(*groups: tuple[tuple[int, ...], bool]) -> list[tuple[tuple[int, ...], bool]]:
    found = Copies(hash_images(IMAGES), [Group(*group) for group in groups])
    return [(group.positions, group.exact) for group in instance_copies(found, PHOTOS).groups]


def test_copies_of_a_photo_tie_their_instances() -> None:
    assert groups_of(((1, 2), True), ((4, 8), False)) == [((0, 1), True), ((2, 4), False)]


def test_copies_among_the_photos_of_one_instance_are_none() -> None:
    assert groups_of(((0, 1), True), ((3, 5), True)) == []


def test_instances_that_are_tied_by_several_photos_are_one_group() -> None:
    assert groups_of(((0, 2), True), ((1, 4), False), ((5, 6), True)) == [((0, 1, 2, 3), False)]


def test_hashes_are_of_the_first_photos() -> None:
    hashes = hash_images(IMAGES)
    found = instance_copies(Copies(hashes, []), PHOTOS).hashes
    np.testing.assert_array_equal(found.digests, hashes.digests[[0, 2, 3, 6, 7]])
    np.testing.assert_array_equal(found.thumbnails, hashes.thumbnails[[0, 2, 3, 6, 7]])
