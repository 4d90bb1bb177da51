"""`training.clean.copies.perceptual_hash`: little is kept of each image, and the same however the images are held."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from models.bundle.input_spec import InputSpec
from tests.training.squares import squares
from training.clean.copies import perceptual_hash
from training.clean.copies.perceptual_hash import hash_images
from training.data.images import Encoded
from training.export.bundle_files import encode_png

PIXELS = np.asarray(squares(30, size=40).images)


def test_digests_are_equal_where_all_pixels_are() -> None:
    pixels = PIXELS[[0, 1, 0]]
    pixels[1] = pixels[0]
    pixels[1, 39, 39, 2] ^= 1
    first, second, third = hash_images(pixels).digests.tolist()
    assert first == third != second


def test_brightness_and_contrast_are_in_levels_of_255() -> None:
    grey = np.stack([np.full((9, 9, 1), 100, np.uint8), np.zeros((9, 9, 1), np.uint8)])
    grey[1, ::2] = 90
    found = hash_images(grey)
    assert found.brightness.tolist() == pytest.approx([100, 50])
    assert found.contrast.tolist() == pytest.approx([0, 44.72], abs=0.01)


def test_the_channel_of_most_contrast_counts() -> None:
    image = np.full((1, 8, 8, 3), 128, np.uint8)
    image[0, :4, :, 1] = 28
    assert hash_images(image).contrast.tolist() == pytest.approx([50])


def test_shapes_are_bounded_whatever_the_images() -> None:
    found = hash_images(PIXELS)
    assert found.block_means.shape == (30, 8 * 8 * 3)
    assert found.thumbnails.shape == (30, 32, 32)


def test_a_few_at_a_time_give_the_same_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = hash_images(PIXELS)
    monkeypatch.setattr(perceptual_hash, "_CHUNK_PIXELS", 7 * 40 * 40)
    spec = InputSpec(height=40, width=40, channels=3)
    encoded = Encoded(lambda position: encode_png(PIXELS[position]), np.arange(30), spec)
    for images in (PIXELS, encoded):
        parts = hash_images(images)
        assert all(np.array_equal(getattr(parts, f.name), getattr(whole, f.name)) for f in fields(whole))


def test_no_images_are_no_error() -> None:
    assert hash_images(np.empty((0, 8, 8, 1), np.uint8)).thumbnails.shape == (0, 8, 8)
