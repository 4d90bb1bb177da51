"""Embeddings kept for images that come again."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

from models.bundle.manifest import Manifest
from models.runtime.engine import Engine
from service.inference.cache import ENTRY_BYTES, EmbeddingCache, key_of, seed_of

WIDTH = 8
ENTRY = WIDTH * 4 + ENTRY_BYTES


def embedding(value: float) -> np.ndarray:
    return np.full(WIDTH, value, np.float32)


@pytest.fixture
def cache() -> EmbeddingCache:
    return EmbeddingCache(3 * ENTRY)


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def test_what_was_put_is_found(cache: EmbeddingCache) -> None:
    assert cache.get(b"a") is None
    cache.put(b"a", embedding(1))
    np.testing.assert_array_equal(cache.get(b"a"), embedding(1))
    assert (len(cache), cache.bytes) == (1, ENTRY)


def test_it_is_a_copy_that_holds_no_batch(cache: EmbeddingCache) -> None:
    batch = np.zeros((4, WIDTH), np.float32)
    cache.put(b"a", batch[1])
    batch[:] = 9
    found = cache.get(b"a")
    assert found is not None
    assert found.base is None
    np.testing.assert_array_equal(found, embedding(0))


def test_the_one_that_was_not_used_for_the_longest_time_goes_first(cache: EmbeddingCache) -> None:
    for key in (b"a", b"b", b"c"):
        cache.put(key, embedding(0))
    cache.get(b"a")
    cache.put(b"d", embedding(0))
    assert [cache.get(key) is not None for key in (b"a", b"b", b"c", b"d")] == [True, False, True, True]
    assert (len(cache), cache.bytes) == (3, 3 * ENTRY)


def test_the_same_image_twice_in_a_request_is_kept_once(cache: EmbeddingCache) -> None:
    cache.put(b"a", embedding(1))
    cache.put(b"a", embedding(1))
    assert (len(cache), cache.bytes) == (1, ENTRY)


def test_what_has_no_room_at_all_is_not_kept() -> None:
    cache = EmbeddingCache(ENTRY - 1)
    cache.put(b"a", embedding(1))
    assert (len(cache), cache.bytes) == (0, 0)


def test_entries_take_no_more_than_is_counted(traced: None) -> None:
    count = 20_000
    before = tracemalloc.get_traced_memory()[0]
    cache = EmbeddingCache(2 * count * ENTRY)
    for number in range(count):
        cache.put(key_of(b"seed", str(number).encode()), embedding(number))
    taken = (tracemalloc.get_traced_memory()[0] - before) / count
    assert 0.6 * ENTRY < taken < ENTRY


def changed(manifest: Manifest, **changes: object) -> Manifest:
    return manifest.model_copy(update=changes)


def test_the_key_is_of_all_that_an_embedding_depends_on(engine: Engine) -> None:
    manifest = engine.manifest
    seed = seed_of(manifest, "fp32")
    other_rule = changed(manifest, input=changed(manifest.input, background=7))
    entry = manifest.files["embedder.onnx"]
    other_embedder = changed(manifest, files={**manifest.files, "embedder.onnx": changed(entry, sha256="0" * 64)})
    seeds = [seed, seed_of(other_rule, "fp32"), seed_of(other_embedder, "fp32")]
    assert len({key_of(each, image) for each in seeds for image in (b"a", b"b")}) == 6


def test_a_new_head_changes_no_key(engine: Engine) -> None:
    manifest = engine.manifest
    refitted = changed(manifest, version=2, heads=(changed(manifest.default_head, kind="other"),))
    assert seed_of(refitted, "fp32") == seed_of(manifest, "fp32")
