"""`training.network.embedding_cache`: each image is embedded once, whatever is made of it."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.runtime.embedding_files import EmbeddingCache, key_of
from models.runtime.sessions import Embedder
from tests.models import encoded
from tests.training.squares import squares
from training.data.dataset import Dataset, subset
from training.data.images import Encoded
from training.exceptions import DataError
from training.network.embedding_cache import embed, embed_all, keys_of

DATASET = squares(30)


class Counting:
    """Counts the images that it embeds."""

    def __init__(self, embedder: Embedder) -> None:
        self.images = 0
        self._embedder = embedder

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        self.images += len(pixels)
        return self._embedder(pixels)


@pytest.fixture
def counting(embedder: Embedder) -> Counting:
    return Counting(embedder)


def cache_of(root: Path, graph: bytes = b"graph") -> EmbeddingCache:
    return EmbeddingCache(root, graph, DATASET.input)


def ask(root: Path, counting: Counting, dataset: Dataset = DATASET, graph: bytes = b"graph") -> np.ndarray:
    return embed_all(cache_of(root, graph), counting, dataset)  # type: ignore[arg-type]


def test_images_are_embedded_once_and_found_again(tmp_path: Path, counting: Counting, embedder: Embedder) -> None:
    first = ask(tmp_path, counting)
    again = ask(tmp_path, counting)
    assert counting.images == len(DATASET.images)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_allclose(first, embedder(np.asarray(DATASET.images)), rtol=1e-5)


def test_a_part_of_them_with_other_labels_runs_no_network(tmp_path: Path, counting: Counting) -> None:
    whole = ask(tmp_path, counting)
    kept = subset(DATASET, 12, 0)
    positions = [keys_of(DATASET).index(key) for key in keys_of(kept)]
    np.testing.assert_array_equal(ask(tmp_path, counting, kept), whole[positions])
    assert counting.images == len(DATASET.images)


def test_only_new_images_are_embedded(tmp_path: Path, counting: Counting) -> None:
    ask(tmp_path, counting, subset(DATASET, 12, 0))
    before = counting.images
    ask(tmp_path, counting)
    assert counting.images == len(DATASET.images)
    assert 0 < before < counting.images


def test_equal_images_are_embedded_once(tmp_path: Path, counting: Counting) -> None:
    twice = replace(DATASET, images=np.concatenate([DATASET.images[:5]] * 2), labels=DATASET.labels[:10])
    found = ask(tmp_path, counting, twice)
    assert counting.images == 5
    np.testing.assert_array_equal(found[:5], found[5:])


def test_another_embedder_knows_none_of_them(tmp_path: Path, counting: Counting) -> None:
    ask(tmp_path, counting)
    ask(tmp_path, counting, graph=b"another")
    assert counting.images == 2 * len(DATASET.images)


def test_thumbnails_are_kept_beside_them(tmp_path: Path, counting: Counting) -> None:
    ask(tmp_path, counting)
    pictures = cache_of(tmp_path).thumbnails(keys_of(DATASET))
    assert all(picture.startswith(b"RIFF") for picture in pictures)


def test_embeddings_without_thumbnails_get_some_and_are_not_computed_again(tmp_path: Path, counting: Counting) -> None:
    keys = keys_of(DATASET)
    kept = np.arange(len(keys) * 4, dtype=np.float32).reshape(-1, 4)
    cache_of(tmp_path).add(keys, kept, [b""] * len(keys))
    np.testing.assert_array_equal(ask(tmp_path, counting), kept)
    assert counting.images == 0
    assert all(map(cache_of(tmp_path).has_thumbnail, keys))


def test_files_are_known_by_their_bytes() -> None:
    keys = tuple(key_of(bytes([row])) for row in range(30))
    assert keys_of(replace(DATASET, keys=keys)) == keys


def test_a_damaged_file_is_named(tmp_path: Path, counting: Counting) -> None:
    ask(tmp_path, counting)
    (file,) = cache_of(tmp_path).folder.glob("*.npz")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(DataError, match=rf"^{file} is damaged .*; remove it, and its images are embedded again"):
        cache_of(tmp_path)


class Stopping(Counting):
    """Is interrupted at its third batch, as by Ctrl-C, once."""

    stopped = False

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        if self.images >= 1000 and not self.stopped:
            self.stopped = True
            raise KeyboardInterrupt
        return super().__call__(pixels)


def test_what_an_interrupted_run_embedded_is_not_embedded_again(
    tmp_path: Path, embedder: Embedder, capsys: pytest.CaptureFixture[str]
) -> None:
    many, stopping = squares(1300), Stopping(embedder)
    with pytest.raises(KeyboardInterrupt, match=r"^1,000 of 1,300 embeddings are kept, and the same command goes on"):
        ask(tmp_path, stopping, many)
    ask(tmp_path, stopping, many)
    assert stopping.images == 1300
    assert "1,000 of 1,300 embeddings kept from before\n" in capsys.readouterr().err


@pytest.mark.parametrize("seconds", [0, 15])
def test_files_written_on_the_way_become_one(
    tmp_path: Path, counting: Counting, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    monkeypatch.setattr("models.runtime.embedding_files.SECONDS_BETWEEN_FILES", seconds)
    many = squares(1300)
    first = ask(tmp_path, counting, many)
    assert len(list(cache_of(tmp_path).folder.iterdir())) == 1
    np.testing.assert_array_equal(ask(tmp_path, counting, many), first)
    assert counting.images == 1300


@pytest.mark.parametrize("kept", [0, 10, 100, -30], ids=["empty", "a few bytes", "the beginning", "all but the end"])
def test_a_file_cut_short_is_named_wherever_it_ends(tmp_path: Path, counting: Counting, kept: int) -> None:
    ask(tmp_path, counting)
    (file,) = cache_of(tmp_path).folder.glob("*.npz")
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"is damaged .*; remove it, and its images are embedded again"):
        cache_of(tmp_path)


def test_images_that_have_no_keys_are_read_once_for_their_key_and_once_to_be_decoded(
    tmp_path: Path, counting: Counting
) -> None:
    read: list[int] = []

    def png(position: int) -> bytes:
        read.append(position)
        return encoded.encode(Image.fromarray(np.asarray(DATASET.images)[position]), "PNG")

    padded = DATASET.input.model_copy(update={"fit": "pad"})  # stretched images are read for their shape, too
    ask(tmp_path, counting, replace(DATASET, images=Encoded(png, np.arange(30), padded), input=padded))
    assert sorted(read) == sorted([*range(30), *range(30)])


@pytest.mark.parametrize(("hours", "stays"), [(25, False), (23, True)], ids=["a day ago", "today"])
def test_what_a_killed_run_left_is_removed_after_a_day(
    tmp_path: Path, counting: Counting, hours: int, stays: bool
) -> None:
    first = ask(tmp_path, counting)
    left = cache_of(tmp_path).folder / "left.part"
    left.write_bytes(b"begun")
    os.utime(left, (time.time() - hours * 3600,) * 2)
    np.testing.assert_array_equal(ask(tmp_path, counting), first)
    assert left.exists() is stays


@pytest.mark.parametrize("count", [0, 1, 499, 501])
def test_images_are_embedded_in_batches_and_in_order(embedder: Embedder, count: int) -> None:
    images = squares(501).images[:count]
    embedding = embed(embedder, images, "embedding")
    assert embedding.shape == (count, 160)
    assert embedding.dtype == np.float32
    if count:
        np.testing.assert_array_equal(embedding[-1], embedder(images[-1:])[0])
