"""Images checked, found in the cache or decoded, before the engine sees them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import service.inference.inference_types
from models.bundle.input_spec import InputSpec
from models.errors import BadColumns, BadImage, ClientError
from models.imaging.decode import decode
from models.imaging.types import Pixels
from models.runtime.engine import Engine
from models.runtime.engine_types import EngineInput, Result
from service.inference.items import Item
from service.inference.pipeline import Pipeline
from service.observability.service_metrics import exposition
from tests.service.inference.test_pipeline import answers, asked, encoded, label, run
from tests.service.observability.test_service_metrics import samples
from tests.service.serving import BRIGHT, DARK, MID, TEXT, HeldEngine
from tests.tiny_bundle import solid_image

CUT = MID[:-20]
"""Has a header that is good, and not all of its pixels."""


def spied(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Takes down, of each image that is decoded from now on, whether it is on the event loop."""
    threads: list[bool] = []

    def spy(data: bytes, spec: InputSpec, header: Any, *, warn: Any) -> Pixels:
        threads.append(threading.current_thread() is threading.main_thread())
        return decode(data, spec, header, warn=warn)

    monkeypatch.setattr(service.inference.inference_types, "decode", spy)
    return threads


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
    threads = spied(monkeypatch)
    found = answers(engine, [Item(image, {}) for image in items])
    assert all(isinstance(answer, Result) for answer in found)
    assert threads == [in_place] * len(items)


@pytest.mark.parametrize(
    ("image_s", "size", "in_place"),
    [(0.004, 700, True), (0.002, 700, False), (0.004, 1000, False), (0.03, 700, False)],
    ids=["a network that takes half as long", "a quicker one", "more pixels", "a network that gets a thread"],
)
def test_what_a_network_takes_long_for_is_decoded_in_its_batch(
    tiny_path: Path, image_s: float, size: int, in_place: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine.load(tiny_path, device="cpu", max_batch=1)
    engine.image_s = image_s
    threads = spied(monkeypatch)
    answers(engine, [Item(solid_image(128, size=(size, size), format_="JPEG"), {})])
    assert threads == [in_place]


def test_what_is_small_is_decoded_on_the_event_loop_for_a_model_on_a_thread(
    held_engine: HeldEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = spied(monkeypatch)
    held_engine.release.set()
    first, second, third = answers(held_engine, [Item(image, {}) for image in (BRIGHT, MID[:40], DARK)])
    assert (label(first), type(second), label(third)) == ("bright", BadImage, "dark")
    assert threads == [True, True, True]


def test_an_image_that_is_found_damaged_in_its_batch_leaves_the_others_alone(engine: Engine) -> None:
    async def test(pipeline: Pipeline) -> None:
        damaged, whole = await asyncio.gather(
            asked(pipeline, [Item(CUT, {}), Item(CUT, {})]), asked(pipeline, [Item(BRIGHT, {}), Item(CUT, {})])
        )
        assert [type(answer) for answer in damaged] == [BadImage, BadImage]
        assert (label(whole[0]), type(whole[1])) == ("bright", BadImage)
        assert [type(answer) for answer in await asked(pipeline, [Item(CUT, {})])] == [BadImage]  # a batch of its own

    run(engine, test)


def test_a_stages_time_is_told_once(engine: Engine) -> None:
    async def test(pipeline: Pipeline) -> None:
        started = time.perf_counter()
        found = await asked(pipeline, [Item(image, {}) for image in (BRIGHT, MID, DARK)])
        passed_s = time.perf_counter() - started
        for answer in found:
            assert isinstance(answer, Result)
            assert answer.decode_s > 0
            assert answer.queue_s > 0
            assert answer.decode_s + answer.queue_s + answer.embed_s + answer.decide_s < passed_s

    run(engine, test)


# ---------------------------------------------------------------- cache


def cached(engine: Engine, test: Callable[[Pipeline], Awaitable[Any]]) -> Any:
    return run(engine, test, cache_mb=1)


class CountingEngine(Engine):
    """An engine that notes how many images of each batch it embeds."""

    def run(self, works: Sequence[EngineInput], waited_s: Sequence[float]) -> list[Result]:
        self.__dict__.setdefault("embedded", []).append(sum(work.pixels is not None for work in works))
        return super().run(works, waited_s)


@pytest.fixture
def counting(tiny_path: Path) -> CountingEngine:
    engine = CountingEngine.load(tiny_path, device="cpu")
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
        np.testing.assert_allclose(again[1].decisions["shade"].output, first[0].decisions["shade"].output)
        assert (again[1].decode_s, again[1].embed_s) == (0.0, 0.0)
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
