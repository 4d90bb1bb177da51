"""Images checked, found in the cache or decoded, before the engine sees them."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import service.reader
from models.errors import BadColumns, ClientError
from models.manifest import InputSpec
from models.pixels import Pixels, decode
from service.bodies import Item
from service.engine import Engine, Outcome, Work
from service.metrics import exposition
from service.pipeline import Answer, Pipeline
from tests.service.serving import BRIGHT, DARK, MID, TEXT, settings_of
from tests.service.test_metrics import samples
from tests.service.test_pipeline import answers, asked, encoded, label, run
from tests.tiny_bundle import solid_image


@pytest.mark.parametrize(
    ("items", "in_place"),
    [
        pytest.param([MID], True, id="one small image"),
        pytest.param([MID, DARK, BRIGHT], True, id="three small images"),
        pytest.param([solid_image(128, size=(3000, 3000), format_="WEBP")], False, id="few bytes of many pixels"),
        pytest.param([MID, solid_image(128, size=(3000, 300))], False, id="a small image beside one of many pixels"),
        pytest.param(
            [encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (500, 500, 3), np.uint8)), "PNG")],
            False,
            id="a large file",
        ),
    ],
)
def test_only_what_decodes_quickly_is_decoded_on_the_event_loop(
    engine: Engine, items: list[bytes], in_place: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = set()

    def spy(data: bytes, spec: InputSpec, header: Any) -> Pixels:
        threads.add(threading.current_thread() is threading.main_thread())
        return decode(data, spec, header)

    monkeypatch.setattr(service.reader, "decode", spy)
    found = answers(engine, [Item(image, {}) for image in items])
    assert all(isinstance(answer, Answer) for answer in found)
    assert threads == {in_place}


# ---------------------------------------------------------------- cache


def cached(engine: Engine, test: Callable[[Pipeline], Awaitable[Any]]) -> Any:
    return run(engine, test, cache_mb=1)


class CountingEngine(Engine):
    """An engine that notes how many images of each batch it embeds."""

    def run(self, works: Sequence[Work], waited_s: Sequence[float]) -> list[Outcome]:
        self.__dict__.setdefault("embedded", []).append(sum(work.pixels is not None for work in works))
        return super().run(works, waited_s)


@pytest.fixture
def counting(tiny_path: Path) -> CountingEngine:
    engine = CountingEngine.load(settings_of(tiny_path))
    engine.__dict__["embedded"].clear()
    return engine


def lookups() -> tuple[float, float]:
    found = samples(exposition().decode())
    hit, miss = (found.get(f'tandem_cache_lookups_total{{result="{result}"}}', 0.0) for result in ("hit", "miss"))
    return hit, miss


def test_an_image_that_comes_again_is_not_embedded_again_and_gets_the_same_answer(counting: CountingEngine) -> None:
    async def test(pipeline: Pipeline) -> None:
        hits, misses = lookups()
        first = await asked(pipeline, [Item(BRIGHT, {})])
        again = await asked(pipeline, [Item(DARK, {}), Item(BRIGHT, {}), Item(TEXT, {})])
        assert counting.__dict__["embedded"] == [1, 1]
        assert [label(answer) for answer in again[:2]] == ["dark", "bright"]
        assert isinstance(again[2], ClientError)
        np.testing.assert_allclose(again[1].outcome.probabilities, first[0].outcome.probabilities)
        assert (again[1].decode_s, again[1].outcome.embed_s) == (0.0, 0.0)
        assert lookups() == (hits + 1, misses + 2)  # what is no image is not looked for
        assert pipeline.cache is not None
        assert len(pipeline.cache) == 2  # what is no image is not kept

    cached(counting, test)


def test_a_request_of_known_images_alone_embeds_nothing(counting: CountingEngine) -> None:
    async def test(pipeline: Pipeline) -> None:
        await asked(pipeline, [Item(BRIGHT, {}), Item(DARK, {})], decide=False)
        found = await asked(pipeline, [Item(DARK, {}), Item(BRIGHT, {})])
        assert [label(answer) for answer in found] == ["dark", "bright"]
        assert counting.__dict__["embedded"] == [2, 0]

    cached(counting, test)


def test_what_was_embedded_outlives_a_change_of_the_head(counting: CountingEngine, priced_engine: Engine) -> None:
    async def test(pipeline: Pipeline) -> None:
        await asked(pipeline, [Item(BRIGHT, {})])
        pipeline.replace(priced_engine)  # another head on the same embedder
        hits, _ = lookups()
        (found,) = await asked(pipeline, [Item(BRIGHT, {"shift": 0.0})])
        assert label(found) == "bright"
        assert lookups()[0] == hits + 1

    cached(counting, test)


def test_columns_of_a_known_image_are_checked_all_the_same(priced_engine: Engine) -> None:
    async def test(pipeline: Pipeline) -> None:
        await asked(pipeline, [Item(BRIGHT, {"shift": 0.0})])
        (found,) = await asked(pipeline, [Item(BRIGHT, {"shift": "a lot"})])
        assert isinstance(found, BadColumns)

    cached(priced_engine, test)


def test_by_default_nothing_is_kept(engine: Engine) -> None:
    async def test(pipeline: Pipeline) -> None:
        assert pipeline.cache is None

    run(engine, test)
