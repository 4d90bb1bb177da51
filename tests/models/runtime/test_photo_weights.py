"""`models.runtime.photo_weights`: photos that weigh more, and an answer less what it is without each photo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.runtime.engine import Engine
from models.runtime.engine_types import EngineInput, Instance, Result
from tests.tiny_bundle import GREYS, tiny_bundle

TOLERANCE = 1e-5


def embedded(engine: Engine, *greys: int) -> list[Result]:
    pixels = [np.full((8, 8, 1), grey, np.uint8) for grey in greys]
    return engine.run([EngineInput(each, {}) for each in pixels], [0.0] * len(greys))


def explained(engine: Engine, head: str, *greys: int) -> Result:
    (result,) = engine.decide([Instance(embedded(engine, *greys), {head: {}})], [0.0])
    return engine.explain(result, engine.manifest.chosen_heads([head]))


def effects(engine: Engine, head: str, *greys: int) -> list[float]:
    explanations = explained(engine, head, *greys).explanations
    assert explanations is not None
    told = explanations[head]["images"]
    assert [each["index"] for each in told] == list(range(len(greys)))
    return [each["effect"] for each in told]


def test_a_number_is_told_by_how_much_each_photo_moves_it(pooling_engine: Engine) -> None:
    """The value is the mean brightness: 0.4 of 0.2, 0.4 and 0.6."""
    assert effects(pooling_engine, "level", 51, 102, 153) == pytest.approx([-0.1, 0.0, 0.1], abs=TOLERANCE)


def test_a_class_is_told_by_its_probability(pooling_engine: Engine) -> None:
    dark, bright = effects(pooling_engine, "shade", GREYS["dark"], GREYS["bright"])
    assert dark == pytest.approx(bright, abs=0.2)
    assert dark > 0.5, "mid is the answer of both alone"


def test_without_one_of_two_equal_photos_nothing_changes(pooling_engine: Engine) -> None:
    assert effects(pooling_engine, "shade", 30, 30) == [0.0, 0.0]


def test_one_photo_has_no_effects(pooling_engine: Engine) -> None:
    explanations = explained(pooling_engine, "shade", 30).explanations
    assert explanations is not None
    assert "images" not in explanations["shade"]


def test_a_graph_weighs_the_photos_of_a_bundle_that_pools_by_attention(tmp_path: Path) -> None:
    """The weight is e to the power of the brightness."""
    engine = Engine.load(tiny_bundle(tmp_path, pooling=("attention",), regressions=["level"]), device="cpu")
    dark, bright = 51 / 255, 204 / 255
    (result,) = engine.decide([Instance(embedded(engine, 51, 204), {"level": {}})], [0.0])
    wanted = (np.exp(dark) * dark + np.exp(bright) * bright) / (np.exp(dark) + np.exp(bright))
    assert result.row[0] == pytest.approx(wanted, abs=TOLERANCE)
    one, three = engine.decide(
        [Instance(embedded(engine, 77), {"level": {}}), Instance(embedded(engine, 77, 77, 77), {"level": {}})], [0, 0]
    )
    assert one.row.tobytes() == three.row.tobytes()
