"""`service.inference.photo_groups`: each image is embedded once, and an error is its own instance's."""

from __future__ import annotations

import numpy as np

from models.errors import BadColumns, BadImage, TooLarge
from models.runtime.engine import Engine
from models.runtime.engine_types import Instance, Result
from service.inference.batcher import WorkFailed
from service.inference.items import Item
from service.inference.photo_groups import PhotoGroups


def groups_of(engine: Engine, *items: Item) -> PhotoGroups:
    return PhotoGroups.of(engine.manifest, items, engine.default)


def result(number: int) -> Result:
    return Result(np.full(4, number, np.float32), {}, 0.0, 0.0, 0.0, 0.0)


def test_equal_images_of_a_request_are_embedded_once(pooling_engine: Engine) -> None:
    groups = groups_of(pooling_engine, Item(b"a", {}, (b"b", b"a")), Item(b"b", {}))
    assert [item.image for item in groups.photos] == [b"a", b"b"]
    first, second = groups.instances([result(0), result(1)])
    assert isinstance(first, Instance)
    assert isinstance(second, Instance)
    assert [photo.embedding[0] for photo in first.photos] == [0, 1, 0]
    assert [photo.embedding[0] for photo in second.photos] == [1]


def test_images_beside_bad_columns_are_not_embedded(pooling_engine: Engine) -> None:
    groups = groups_of(pooling_engine, Item(b"a", {"no": 1}, (b"b",)), Item(b"c", {}, (b"d",)))
    assert [item.image for item in groups.photos] == [b"c", b"d"]
    wrong, right = groups.instances([result(0), result(1)])
    assert isinstance(wrong, BadColumns)
    assert isinstance(right, Instance)


def test_the_first_error_among_its_images_is_the_instance_s_with_its_own_code(pooling_engine: Engine) -> None:
    groups = groups_of(pooling_engine, Item(b"a", {}, (b"b", b"c")), Item(b"d", {}), Item(b"a", {}, (BadImage("e"),)))
    found = groups.instances([result(0), TooLarge("wide"), BadImage("torn"), WorkFailed("broken"), BadImage("e")])
    assert [(type(each), str(each)) for each in found] == [
        (TooLarge, "images[1]: wide"),
        (WorkFailed, "broken"),
        (BadImage, "images[1]: e"),
    ]
