"""`training.tuning.variants_of_images`."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training.tuning.variants_of_images import random_variants


def test_variants_are_images_that_differ_a_little() -> None:
    images = torch.from_numpy(np.random.default_rng(0).integers(60, 190, (6, 28, 28, 3), dtype=np.uint8))
    images = torch.nn.functional.avg_pool2d(images.permute(0, 3, 1, 2).float(), 7, 1, 3).permute(0, 2, 3, 1).byte()
    found = random_variants(images, np.random.default_rng(1))
    assert (found.shape, found.dtype) == (images.shape, torch.uint8)
    off = (found.float() - images.float()).abs().mean((1, 2, 3))
    assert float(off.min()) > 0
    assert float(off.max()) < 40


def test_a_plain_image_stays_plain_and_the_seed_decides() -> None:
    images = torch.full((3, 16, 16, 1), 100, dtype=torch.uint8)
    found = random_variants(images, np.random.default_rng(2))
    assert torch.equal(found, found[:, :1, :1].expand_as(found))
    assert torch.equal(found, random_variants(images, np.random.default_rng(2)))


@pytest.mark.parametrize(("height", "width"), [(8, 224), (1, 30), (30, 2)])
def test_narrow_images_are_shifted_by_what_their_border_can_mirror(height: int, width: int) -> None:
    images = torch.zeros(2, height, width, 3, dtype=torch.uint8)
    assert random_variants(images, np.random.default_rng(0)).shape == images.shape
