"""`training.instances.pooled_embeddings`: one row of each instance, and each photo embedded once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.bundle.loading import Bundle
from models.pooling import ALONE as NO_POOLING
from models.pooling import Pooling, pool_alone
from models.runtime.embedding_files import EmbeddingCache
from models.runtime.sessions import Embedder
from tests.training.squares import squares
from training.data.dataset import Dataset
from training.exceptions import DataError
from training.instances.instance_photos import Photos
from training.instances.pooled_embeddings import check_photos, embed_instances
from training.network.embedding_cache import keys_of

POOLING = Pooling(("mean", "max", "change"))
COUNTS = np.array([2, 1, 3])
ALONE = squares(6)


def things() -> Dataset:
    """Three instances of six photos."""
    photos = Photos(ALONE.images, keys_of(ALONE), COUNTS)
    return replace(squares(3), images=ALONE.images[photos.first], photos=photos)


@pytest.fixture
def cache(tmp_path: Path, embedder_graph: bytes) -> EmbeddingCache:
    return EmbeddingCache(tmp_path, embedder_graph, ALONE.input)


def test_the_photos_of_each_instance_are_pooled(cache: EmbeddingCache, embedder: Embedder) -> None:
    wanted = POOLING.each(embedder(np.asarray(ALONE.images)), COUNTS.tolist())
    np.testing.assert_array_equal(embed_instances(cache, embedder, things(), POOLING), wanted)
    some = np.array([2, 0])
    np.testing.assert_array_equal(embed_instances(cache, embedder, things(), POOLING, some), wanted[some])
    assert len(cache) == len(ALONE.labels)


def test_without_photos_each_image_is_an_instance(cache: EmbeddingCache, embedder: Embedder) -> None:
    embedding = embedder(np.asarray(ALONE.images))
    wanted = pool_alone(embedding, POOLING.kinds)
    np.testing.assert_array_equal(embed_instances(cache, embedder, ALONE, POOLING), wanted)
    np.testing.assert_array_equal(embed_instances(cache, embedder, ALONE, NO_POOLING), embedding)


def test_only_a_bundle_that_pools_takes_instances_of_several_photos(tiny_path: Path, pooling_path: Path) -> None:
    check_photos(Bundle.open(pooling_path).manifest, things())
    plain = Bundle.open(tiny_path).manifest
    check_photos(plain, ALONE)
    with pytest.raises(DataError, match="tiny@1 decides on one image, but rows of the table name several"):
        check_photos(plain, things())
