"""`training.clean.copies.fingerprint`: copies are near, and a mirrored image has the odd part with the other sign."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.clean.changed import CHANGES, change, pieces
from training.clean.copies.fingerprint import fingerprints
from training.clean.copies.nearest_copies import nearest_or_mirrored
from training.clean.copies.perceptual_hash import hash_images

IMAGES = hash_images(pieces(64)).thumbnails


def test_a_mirrored_image_differs_in_the_sign_of_the_odd_part() -> None:
    prints = fingerprints(np.concatenate([IMAGES, IMAGES[:, :, ::-1]]))
    count = len(IMAGES)
    assert prints.even[:count] == pytest.approx(prints.even[count:], abs=0.01)
    assert prints.odd[:count] == pytest.approx(-prints.odd[count:], abs=0.01)


def test_brightness_and_contrast_do_not_matter() -> None:
    darker = (IMAGES // 2 * 2, IMAGES // 2)
    prints = fingerprints(np.concatenate(darker))
    assert prints.even[: len(IMAGES)] == pytest.approx(prints.even[len(IMAGES) :], abs=0.01)


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_image_is_nearest_to_the_one_it_was(name: str) -> None:
    images = pieces(64)
    thumbnails = np.concatenate([IMAGES, hash_images(change(images, CHANGES[name])).thumbnails])
    positions, _ = nearest_or_mirrored(fingerprints(thumbnails), 2)
    found = (positions[len(images) :] == np.arange(len(images))[:, None]).any(1)
    assert found.mean() >= 0.9


@pytest.mark.parametrize("count", [1, 2])
def test_few_images_are_no_error(count: int) -> None:
    prints = fingerprints(IMAGES[:count])
    assert len(prints.even) == len(prints.odd) == count
