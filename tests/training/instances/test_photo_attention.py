"""`training.instances.photo_attention`: photos that say more weigh more."""

from __future__ import annotations

import numpy as np
import pytest

from models.pooling import Pooling
from models.runtime.photo_weights import PhotoWeigher
from models.runtime.sessions import Embedding, cpu_session
from training.instances.photo_attention import fit_weigher

COUNT, PHOTOS, WIDTH = 200, 3, 6
UNITS = np.arange(COUNT)


def photos(values: np.ndarray) -> tuple[Embedding, np.ndarray]:
    """Embeddings `[COUNT * PHOTOS, WIDTH]` and which of them are sharp: these say the value in their first number."""
    random = np.random.default_rng(0)
    is_sharp = random.random(COUNT * PHOTOS) > 0.5
    found = random.normal(0, 1, (COUNT * PHOTOS, WIDTH)).astype(np.float32)
    found[:, 0] = np.where(is_sharp, 2 * np.repeat(values, PHOTOS), 3 * found[:, 0])
    found[:, 1] = 2 * is_sharp + 0.1 * found[:, 1]
    return found, is_sharp


@pytest.mark.parametrize("classes", [2, 0], ids=["classes", "numbers"])
def test_sharp_photos_weigh_more(classes: int) -> None:
    labels = np.arange(COUNT) % 2 if classes else np.random.default_rng(1).normal(5, 1, COUNT)
    embedding, is_sharp = photos(labels - labels.mean())
    counts = np.full(COUNT, PHOTOS)
    weigher = PhotoWeigher(cpu_session(fit_weigher(embedding, counts, labels, classes, units=UNITS, seed=0)))
    weight = np.exp(weigher(embedding))
    assert weight[is_sharp].mean() > 2 * weight[~is_sharp].mean()
    told = Pooling(("attention",), weigher).each(embedding, counts.tolist())[:, 0]
    plain = Pooling(("mean",)).each(embedding, counts.tolist())[:, 0]
    assert np.corrcoef(told, labels)[0, 1] > np.corrcoef(plain, labels)[0, 1]


def test_the_seed_decides_and_instances_may_have_any_number_of_photos() -> None:
    embedding, _ = photos(np.arange(COUNT) % 2 - 0.5)
    counts = np.tile([1, 5, 3, 3], COUNT // 4)
    first, same, other = (
        fit_weigher(embedding, counts, np.arange(COUNT) % 2, 2, units=UNITS, seed=seed) for seed in (0, 0, 1)
    )
    assert first == same != other
