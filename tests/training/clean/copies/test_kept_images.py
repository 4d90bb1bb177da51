"""Copies are looked for once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.squares import squares
from training.clean.copies.duplicates import find_copies
from training.clean.copies.kept_images import FOLDER, kept_copies
from training.data.dataset import Dataset
from training.exceptions import DataError
from training.network.embedding_cache import keys_of


@pytest.fixture
def dataset() -> Dataset:
    whole = squares(30, size=16)
    images = np.asarray(whole.images).copy()
    images[7] = images[1]
    images[20] = images[1]
    return replace(whole, images=images)


class Unreadable:
    """Images that must not be looked at."""

    def __init__(self, dataset: Dataset) -> None:
        self.shape = np.asarray(dataset.images).shape

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, _: np.ndarray) -> np.ndarray:
        raise AssertionError("an image was looked at again")


def test_what_is_kept_is_what_was_found(dataset: Dataset, tmp_path: Path) -> None:
    found = find_copies(dataset.images)
    first = kept_copies(dataset, tmp_path)
    again = kept_copies(replace(dataset, images=Unreadable(dataset), keys=keys_of(dataset)), tmp_path)
    for copies in (first, again):
        assert copies.groups == found.groups
        np.testing.assert_array_equal(copies.hashes.digests, found.hashes.digests)
        np.testing.assert_array_equal(copies.hashes.contrast, found.hashes.contrast)
    assert found.groups[0].positions == (1, 7, 20)


def test_other_images_are_looked_at(dataset: Dataset, tmp_path: Path) -> None:
    kept_copies(dataset, tmp_path)
    assert kept_copies(squares(30, size=16, seed=1), tmp_path).groups == []
    assert len(list((tmp_path / FOLDER).iterdir())) == 2


def test_a_damaged_file_says_what_to_do(dataset: Dataset, tmp_path: Path) -> None:
    kept_copies(dataset, tmp_path)
    (file,) = (tmp_path / FOLDER).iterdir()
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(DataError, match=r"is damaged .*; remove it, and copies are looked for again"):
        kept_copies(dataset, tmp_path)
