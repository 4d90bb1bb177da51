"""`training.instances.instance_photos`: photos of instances, and data sets that have them."""

from __future__ import annotations

import numpy as np

from models.bundle.input_spec import InputSpec
from training.data.dataset import Dataset, subset
from training.data.images import Encoded
from training.export.bundle_files import encode_png
from training.instances.instance_photos import Photos

SPEC = InputSpec(height=8, width=8, channels=3)
COUNTS = [2, 1, 3, 1, 2, 2]
PIXELS = np.arange(sum(COUNTS), dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8)


def photos_of(counts: list[int] = COUNTS) -> Photos:
    images = Encoded(lambda position: encode_png(PIXELS[position]), np.arange(sum(counts)), SPEC)
    return Photos(images, tuple(bytes([number]) * 32 for number in range(sum(counts))), np.array(counts))


def dataset_of(photos: Photos) -> Dataset:
    labels = np.arange(len(photos.counts)) % 2
    first = photos.first
    return Dataset(
        "things",
        Encoded(photos.images.read, first, SPEC),  # type: ignore[attr-defined]
        labels,
        ("a", "b"),
        SPEC,
        keys=tuple(photos.keys[position] for position in first.tolist()),
        groups=np.where(np.arange(len(labels)) == 4, 0, np.arange(len(labels))),
        photos=photos,
    )


def shades(photos: Photos) -> list[int]:
    return [int(image[0, 0, 0]) for image in photos.images[np.arange(len(photos.images))]]


def test_photos_of_some_instances_stay_together_and_in_order() -> None:
    photos = photos_of()
    assert photos.instance.tolist() == [0, 0, 1, 2, 2, 2, 3, 4, 4, 5, 5]
    assert photos.first.tolist() == [0, 2, 3, 6, 7, 9]
    some = photos.of(np.array([4, 1]))
    assert (some.counts.tolist(), shades(some)) == ([2, 1], [7, 8, 2])
    assert some.keys == (bytes([7]) * 32, bytes([8]) * 32, bytes([2]) * 32)
    assert photos.positions(np.empty(0, np.int64)).tolist() == []


def test_as_images_of_their_own_photos_have_their_instance_s_label_and_group() -> None:
    alone = dataset_of(photos_of()).of_photos()
    assert alone.labels.tolist() == [0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 1]
    assert alone.unit.tolist() == [0, 0, 1, 2, 2, 2, 3, 0, 0, 5, 5]
    assert len(alone.keys) == len(alone.images) == 11
    assert alone.photos is None
    assert alone.of_photos() is alone


def test_a_sample_takes_all_photos_of_its_instances() -> None:
    dataset = dataset_of(photos_of([2, 3] * 5))
    sample = subset(dataset, 4, 0)
    assert sample.photos is not None
    assert len(sample.labels) == len(sample.photos.counts) == 4
    first = [sample.photos.keys[position] for position in sample.photos.first.tolist()]
    assert tuple(first) == sample.keys


def test_the_fingerprint_is_of_all_photos_and_of_which_belong_together() -> None:
    dataset = dataset_of(photos_of())
    others = [dataset_of(photos_of([1, 2, 3, 1, 2, 2])), dataset_of(photos_of([2, 1, 3, 1, 2, 1]))]
    prints = {each.fingerprint() for each in (dataset, *others)}
    assert len(prints) == 3
    assert dataset_of(photos_of()).fingerprint() in prints
