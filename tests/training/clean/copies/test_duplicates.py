"""`training.clean.copies.duplicates`: copies are found, and what merely looks alike is not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tests.training.clean.changed import CHANGES, change, pieces
from training.clean.copies import copy_check, duplicates
from training.clean.copies.duplicates import Group, find_copies
from training.data import fashion_mnist
from training.exceptions import DataError


@pytest.fixture(scope="module")
def photos() -> np.ndarray:
    """40 images of 64x64x3: coarse blots with fine ones on them."""
    dice = np.random.default_rng(0)
    blots = [
        Image.fromarray(dice.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize((64, 64), Image.Resampling.BICUBIC)
        for _ in range(40)
    ]
    return np.stack([np.asarray(blot) for blot in blots])


@pytest.fixture(scope="module")
def clothes() -> np.ndarray:
    """uint8 `[70000, 28, 28, 1]`."""
    try:
        return np.asarray(fashion_mnist.load().images)
    except DataError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def photo_pieces() -> np.ndarray:
    """uint8 `[N, 224, 224, 3]`."""
    return pieces(224)


def groups_of(images: np.ndarray) -> list[Group]:
    return find_copies(images).groups


def recall(images: np.ndarray, sources: np.ndarray, copies: np.ndarray) -> float:
    """The share of copies that are in a group with the image that they were made of."""
    group = np.arange(len(images) + len(copies))
    for number, found in enumerate(groups_of(np.concatenate([images, copies]))):
        group[list(found.positions)] = len(group) + number
    return float((group[sources] == group[len(images) :]).mean())


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
    noise = dice.normal(0, 15, (2, 256, 256, 1))
    images = np.stack([large[0], coarse + noise[0], coarse + noise[1]]).clip(0, 255).astype(np.uint8)
    assert groups_of(images) == []


def test_another_colour_is_another_image(photos: np.ndarray) -> None:
    images = photos.copy()
    images[9] = images[4][..., ::-1]
    assert groups_of(images) == []


def test_more_copies_than_neighbours_are_still_one_group(photos: np.ndarray) -> None:
    count = 3 * duplicates.NEIGHBOURS
    images = np.concatenate([photos, np.repeat(photos[:1], count, axis=0)])
    assert groups_of(images) == [Group((0, *range(40, 40 + count)), exact=True)]


def test_images_of_one_colour_are_copies_only_where_it_is_the_same(photos: np.ndarray) -> None:
    images = photos.copy()
    images[3], images[7], images[11] = 50, 51, 51
    assert groups_of(images) == [Group((7, 11), exact=True)]


def test_a_few_pairs_at_a_time_give_the_same_groups(photos: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = np.stack([jpeg(image, 90) for image in photos[::3]])
    images = np.concatenate([photos, copies])
    whole = groups_of(images)
    assert len(whole) == len(copies)
    monkeypatch.setattr(copy_check, "_CHUNK", 7)
    monkeypatch.setattr(copy_check, "_CLOSE_CHUNK", 3)
    assert groups_of(images) == whole


def test_few_images_are_no_error() -> None:
    assert groups_of(np.empty((0, 8, 8, 1), np.uint8)) == []
    assert groups_of(np.zeros((1, 8, 8, 1), np.uint8)) == []


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_photograph_is_found(name: str, photo_pieces: np.ndarray) -> None:
    sources = np.arange(len(photo_pieces))
    assert recall(photo_pieces, sources, change(photo_pieces, CHANGES[name])) >= 0.9


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_small_picture_is_found(name: str, clothes: np.ndarray) -> None:
    images = clothes[:750]
    sources = np.arange(0, len(images), 15)
    assert recall(images, sources, change(images[sources], CHANGES[name])) >= 0.8


def test_many_copies_of_one_image_are_one_group_and_leave_the_others_alone(photo_pieces: np.ndarray) -> None:
    copies = np.concatenate([change(photo_pieces[20:21], how) for how in CHANGES.values()])
    count = len(photo_pieces)
    assert groups_of(np.concatenate([photo_pieces, copies])) == [
        Group((20, *range(count, count + len(CHANGES))), exact=False)
    ]


def test_pieces_of_one_photograph_are_no_copies(photo_pieces: np.ndarray) -> None:
    assert groups_of(photo_pieces) == []


def test_small_images_are_copies_only_where_they_are_equal(photos: np.ndarray) -> None:
    images = photos[:, ::6, ::6].copy()
    assert images.shape[1:3] == (11, 11)
    images[[7, 9]] = images[3]
    images[9, 0, 0] ^= 1
    assert groups_of(images) == [Group((3, 7), exact=True)]


@pytest.mark.parametrize("count", [2_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_a_few_clothes_are_copies_of_each_other(count: int, clothes: np.ndarray) -> None:
    """About 1 in 400 of the 70,000 is listed, most of them the same article to the eye."""
    images = clothes[:count]
    assert sum(len(group.positions) for group in groups_of(images)) <= 0.003 * len(images)


@pytest.mark.slow
def test_recall_of_every_change_and_pairs_where_nothing_was_changed(
    clothes: np.ndarray, photo_pieces: np.ndarray
) -> None:
    """The table of `training.clean.copies.duplicates`."""
    dice = np.random.default_rng(0)
    small = clothes[dice.permutation(len(clothes))[:10_000]]
    for images, count, least in ((photo_pieces, 40, 0.9), (small, 300, 0.8)):
        listed = sum(len(group.positions) for group in groups_of(images))
        side = images.shape[1]
        print(f"{len(images):,} images of {side}x{side}: {listed} listed where nothing was changed")
        assert listed <= 0.005 * len(images)
        sources = dice.permutation(len(images))[:count]
        for name, how in CHANGES.items():
            found = recall(images, sources, change(images[sources], how))
            print(f"{name}: recall {found:.3f} of {count}")
            assert found >= least
