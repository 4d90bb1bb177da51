"""`training.clean.duplicates`: copies are found, and what merely looks alike is not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from training.clean import duplicates
from training.clean.duplicates import Group, find_groups
from training.clean.looks import look


@pytest.fixture(scope="module")
def photos() -> np.ndarray:
    """40 images of 64x64x3: coarse blots with fine ones on them."""
    dice = np.random.default_rng(0)
    blots = [
        Image.fromarray(dice.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize((64, 64), Image.Resampling.BICUBIC)
        for _ in range(40)
    ]
    return np.stack([np.asarray(blot) for blot in blots])


def groups_of(images: np.ndarray) -> list[Group]:
    return find_groups(look(images), images)


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def resized(image: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((120, 120)).resize((64, 64)))


def test_different_images_are_no_copies(photos: np.ndarray) -> None:
    assert groups_of(photos) == []


def test_equal_pixels_are_an_exact_group(photos: np.ndarray) -> None:
    images = photos.copy()
    images[[30, 8]] = images[2]
    assert groups_of(images) == [Group((2, 8, 30), exact=True)]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda image: jpeg(image, 90), id="JPEG of quality 90"),
        pytest.param(lambda image: jpeg(image, 60), id="JPEG of quality 60"),
        pytest.param(resized, id="made larger and smaller again"),
        pytest.param(lambda image: np.clip(image * 1.02, 0, 255).astype(np.uint8), id="2 % brighter"),
    ],
)
def test_an_image_written_anew_is_a_near_copy(photos: np.ndarray, change: object) -> None:
    images = np.concatenate([photos, change(photos[5])[None]])
    assert groups_of(images) == [Group((5, 40), exact=False)]


def test_another_print_on_the_same_shirt_is_another_image(photos: np.ndarray) -> None:
    images = photos.copy()
    images[9] = images[4]
    images[9, 24:40, 24:40] = 255 - images[9, 24:40, 24:40]
    assert groups_of(images) == []


def test_other_fine_detail_is_another_image(photos: np.ndarray) -> None:
    """Which nobody sees in a thumbnail."""
    dice = np.random.default_rng(0)
    large = photos[:2].repeat(4, axis=1).repeat(4, axis=2).astype(int)
    coarse = photos[1].repeat(4, axis=0).repeat(4, axis=1).astype(int)
    noise = dice.normal(0, 5, (2, 256, 256, 1))
    images = np.stack([large[0], coarse + noise[0], coarse + noise[1]]).clip(0, 255).astype(np.uint8)
    assert groups_of(images) == []


def test_another_colour_is_another_image(photos: np.ndarray) -> None:
    images = photos.copy()
    images[9] = images[4][..., ::-1]
    assert groups_of(images) == []


def test_more_copies_than_neighbours_are_still_one_group(photos: np.ndarray) -> None:
    images = np.concatenate([photos, np.repeat(photos[:1], 3 * duplicates.NEIGHBOURS, axis=0)])
    assert groups_of(images) == [Group((0, *range(40, 70)), exact=True)]


def test_images_of_one_colour_are_copies_only_where_it_is_the_same(photos: np.ndarray) -> None:
    images = photos.copy()
    images[3], images[7], images[11] = 50, 51, 51
    assert groups_of(images) == [Group((7, 11), exact=True)]


def test_a_few_pairs_at_a_time_give_the_same_groups(photos: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = np.stack([jpeg(image, 90) for image in photos[::3]])
    images = np.concatenate([photos, copies])
    whole = groups_of(images)
    assert len(whole) == len(copies)
    monkeypatch.setattr(duplicates, "_CHUNK", 7)
    monkeypatch.setattr(duplicates, "_CHUNK_PIXELS", 3 * 64 * 64)
    assert groups_of(images) == whole


def test_few_images_are_no_error() -> None:
    assert groups_of(np.empty((0, 8, 8, 1), np.uint8)) == []
    assert groups_of(np.zeros((1, 8, 8, 1), np.uint8)) == []
