"""Decode, queue, embed, decide: each image on its own."""

from __future__ import annotations

import asyncio
import gc
import io
import re
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.columns import ColumnValue
from models.errors import (
    BadColumns,
    BadImage,
    ClientError,
    DeadlineExceeded,
    NotReady,
    Overloaded,
    TandemError,
    TooLarge,
)
from models.runtime.engine import Engine
from models.runtime.engine_types import Result
from models.runtime.head_sessions import Head
from models.runtime.sessions import Embedding, Interval, Probabilities
from service.inference.batcher import WorkFailed
from service.inference.inference_types import PIXEL_S
from service.inference.items import Item
from service.inference.pipeline import IMAGE_S, Pipeline
from tests.chaos.inputs.bombs import jpeg_of_refinements
from tests.models.encoded import jpeg_with_scans
from tests.service.serving import BRIGHT, DARK, METRICS, MID, PATIENCE_S, TEXT, HeldEngine, Site, until
from tests.tiny_bundle import CLASSES, solid_image


def run(engine: Engine, test: Callable[[Pipeline], Awaitable[Any]], *, started: bool = True, **settings: Any) -> Any:
    """The result of `test` with a pipeline that is closed afterwards."""

    async def main() -> Any:
        site = Site(**settings)
        pipeline = Pipeline(engine, site.settings, METRICS, site.admission)
        if started:
            pipeline.start()
        try:
            return await test(pipeline)
        finally:
            if isinstance(engine, HeldEngine):
                engine.release.set()
            pipeline.close()

    return asyncio.run(main())


async def asked(
    pipeline: Pipeline, items: Sequence[Item], *, decide: bool = True, seconds: float = PATIENCE_S
) -> list[Result | TandemError]:
    served = pipeline.model
    heads = served.engine.default if decide else ()
    return await pipeline.run(served, items, deadline=time.monotonic() + seconds, heads=heads)


def answers(engine: Engine, items: Sequence[Item], *, decide: bool = True) -> list[Result | TandemError]:
    return run(engine, lambda pipeline: asked(pipeline, items, decide=decide))


def label(answer: Result | TandemError) -> str:
    assert isinstance(answer, Result)
    (found,) = answer.decisions.values()
    return CLASSES[int(found.output.argmax())]


def test_each_image_is_answered_in_order(engine: Engine) -> None:
    found = answers(engine, [Item(image, {}) for image in (BRIGHT, DARK, MID)])
    assert [label(answer) for answer in found] == ["bright", "dark", "mid"]


def test_an_image_that_cannot_be_read_is_an_error_in_its_place(engine: Engine) -> None:
    items = [Item(BRIGHT, {}), Item(MID[:40], {}), Item(BadImage("no base64"), {}), Item(b"", {}), Item(DARK, {})]
    found = answers(engine, items)
    assert [type(answer) for answer in found] == [Result, BadImage, BadImage, BadImage, Result]
    assert (label(found[0]), label(found[4])) == ("bright", "dark")
    assert str(found[2]) == "no base64"


def test_where_no_image_can_be_read_the_engine_is_not_asked(held_engine: HeldEngine) -> None:
    assert isinstance(answers(held_engine, [Item(TEXT, {}), Item(b"", {})])[0], ClientError)
    assert held_engine.batches == []


def test_columns_that_do_not_fit_are_that_items_error_alone(priced_engine: Engine) -> None:
    rows = [{"shift": 0.0}, {"shift": "x"}, {}, {"shift": 0.0, "other": 1}, {"shift": float("nan")}]
    found = answers(priced_engine, [Item(DARK, row) for row in rows])
    assert [type(answer) for answer in found] == [Result, BadColumns, BadColumns, BadColumns, BadColumns]


def test_columns_are_not_asked_for_where_no_decision_is_wanted(priced_engine: Engine) -> None:
    (found,) = answers(priced_engine, [Item(DARK, {"unknown": 1})], decide=False)
    assert isinstance(found, Result)
    assert found.decisions == {}


def encoded(image: Image.Image, format_: str, **options: Any) -> bytes:
    body = io.BytesIO()
    image.save(body, format_, **options)
    return body.getvalue()


def test_the_stages_times_are_told(engine: Engine) -> None:
    (found,) = answers(engine, [Item(MID, {})])
    assert isinstance(found, Result)
    assert 0 < found.decode_s < 10
    assert 0 <= found.queue_s < 10


def test_before_the_start_and_after_the_end_nothing_is_answered(engine: Engine) -> None:
    async def test(pipeline: Pipeline) -> None:
        for _ in range(2):
            assert not pipeline.ready
            with pytest.raises(NotReady, match="starting or draining"):
                await asked(pipeline, [Item(MID, {})])
            pipeline.close()

    run(engine, test, started=False)


def test_a_full_queue_refuses_with_its_length_and_limit(held_engine: HeldEngine) -> None:
    async def test(pipeline: Pipeline) -> list[Any]:
        tasks = [asyncio.create_task(asked(pipeline, [Item(MID, {})]))]
        await held_engine.wait_until_entered()
        tasks += [asyncio.create_task(asked(pipeline, [Item(MID, {})])) for _ in range(4)]
        await until(lambda: any(task.done() for task in tasks))
        held_engine.release.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    results = run(held_engine, test, max_batch=1, max_queue=2)
    refused = [result for result in results if isinstance(result, Overloaded)]
    assert str(refused[0]) == "2 images are being answered and 1 more exceed the limit of 2"
    assert len(refused) == 3
    assert not [result for result in results if isinstance(result, Exception) and result not in refused]


def test_a_deadline_that_passes_in_the_queue_is_an_error_and_the_work_is_not_done(held_engine: HeldEngine) -> None:
    async def test(pipeline: Pipeline) -> None:
        running = asyncio.create_task(asked(pipeline, [Item(MID, {})]))
        await held_engine.wait_until_entered()
        waiting = [asyncio.create_task(asked(pipeline, [Item(MID, {})], seconds=0.3)) for _ in range(3)]
        await asyncio.sleep(0)  # they have begun, and with them their deadlines
        expired_at = time.monotonic() + 0.3
        await until(lambda: time.monotonic() > expired_at)
        held_engine.release.set()
        await running
        for found in await asyncio.gather(*waiting, return_exceptions=True):
            assert re.fullmatch(r"the deadline passed while the image waited, for \d+ ms", str(found))

    run(held_engine, test, max_batch=1)
    assert held_engine.batches == [1]


def test_a_request_begun_with_one_model_ends_with_it(held_engine: HeldEngine, priced_engine: Engine) -> None:
    async def test(pipeline: Pipeline) -> None:
        before = pipeline.model
        running = asyncio.create_task(asked(pipeline, [Item(BRIGHT, {})]))
        await held_engine.wait_until_entered()
        pipeline.replace(priced_engine)
        assert (before.name, pipeline.model.engine) == (held_engine.manifest.model, priced_engine)
        held_engine.release.set()
        assert label((await running)[0]) == "bright"
        assert isinstance((await asked(pipeline, [Item(DARK, {"shift": "x"})]))[0], BadColumns)

    run(held_engine, test)


def test_a_model_that_was_replaced_is_forgotten_with_its_last_request(tiny_path: Path, engine: Engine) -> None:
    old = Engine.load(tiny_path, device="cpu")
    gone = weakref.ref(old)

    async def test(pipeline: Pipeline) -> None:
        await asked(pipeline, [Item(MID, {})])
        pipeline.replace(engine)
        await asked(pipeline, [Item(MID, {})])

    run(old, test)
    del old
    gc.collect()
    assert gone() is None


def test_the_images_of_a_request_share_the_limit_of_pixels(engine: Engine) -> None:
    image = solid_image(128, size=(100, 100))
    found = run(engine, lambda pipeline: asked(pipeline, [Item(image, {})] * 3 + [Item(MID, {})]), max_pixels=25_000)
    assert [type(answer) for answer in found] == [Result, Result, TooLarge, Result]
    assert "leave 5000 of the request's 25000" in str(found[2])


def test_what_is_more_work_than_its_pixels_takes_more_of_the_limit(engine: Engine) -> None:
    image = jpeg_of_refinements(24, 16, 36)  # half as much work again as an ordinary one
    items = [Item(image, {}), Item(image, {}), Item(MID, {})]
    found = run(engine, lambda pipeline: asked(pipeline, items), max_pixels=1000)
    assert [type(answer) for answer in found] == [Result, TooLarge, Result]
    assert str(found[1]) == (
        "the image is the work of 576 pixels, and those before it leave 424 of the request's 1000; "
        "send it in a request of its own"
    )


def test_admission_counts_the_work_and_not_the_pixels(engine: Engine) -> None:
    costs = []

    async def test(pipeline: Pipeline) -> None:
        admit = pipeline._admission.admit

        def spy(images: int, cost_s: float, deadline: float) -> None:
            costs.append(cost_s)
            admit(images, cost_s, deadline)

        pipeline._admission.admit = spy  # type: ignore[method-assign]
        for image in (jpeg_with_scans(24), jpeg_with_scans(48)):
            await asked(pipeline, [Item(image, {})])

    run(engine, test)
    assert costs[1] - costs[0] == pytest.approx(384 * PIXEL_S)


def test_what_a_thread_decodes_is_work_done_though_nobody_waits_for_it(engine: Engine) -> None:
    large = solid_image(9, size=(300, 300))

    async def test(pipeline: Pipeline) -> None:
        done: list[float] = []
        pipeline._admission.did = done.append  # type: ignore[method-assign]
        waiting = asyncio.ensure_future(asked(pipeline, [Item(large, {})]))
        await asyncio.sleep(0)  # it is in a thread now
        waiting.cancel()
        await until(lambda: done != [])
        assert waiting.cancelled()
        assert done in ([0.0], [pytest.approx(90_000 * PIXEL_S)])  # it may not have begun

    for _ in range(5):
        run(engine, test)


def test_all_parts_of_answered_work_are_done(engine: Engine) -> None:
    async def test(pipeline: Pipeline) -> None:
        for image, pixels in ((MID, 64), (solid_image(9, size=(300, 300)), 90_000)):
            done: list[float] = []
            pipeline._admission.did = done.append  # type: ignore[method-assign]
            await asked(pipeline, [Item(image, {})])
            expected = IMAGE_S + engine.image_s + pixels * PIXEL_S
            assert sum(done) == pytest.approx(expected, rel=0.05)

    run(engine, test)


def test_a_quick_engine_on_a_cpu_runs_on_the_event_loop_and_a_slow_one_on_a_thread(
    engine: Engine, held_engine: HeldEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_engine.release.set()
    for chosen, in_place in ((engine, True), (held_engine, False)):
        threads = []
        inner = chosen.run

        def spy(*arguments: Any, threads: list[bool] = threads, inner: Any = inner) -> Any:
            threads.append(threading.current_thread() is threading.main_thread())
            return inner(*arguments)

        monkeypatch.setattr(chosen, "run", spy)
        answers(chosen, [Item(MID, {})])
        assert threads == [in_place]


class DizzyHead(Head):
    """A head that gives no number for dark images."""

    def answer(
        self, embedding: Embedding, columns: Sequence[Mapping[str, ColumnValue]] = ()
    ) -> tuple[Probabilities, Interval | None]:
        probabilities, interval = super().answer(embedding, columns)
        probabilities[embedding[:, 0] < 0.3] = np.nan
        return probabilities, interval


def test_an_image_of_which_the_head_makes_no_number_leaves_the_others_alone(
    tiny_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Engine.load(tiny_path, device="cpu")
    engine.head_set.heads = {name: DizzyHead(head.session, head.spec) for name, head in engine.heads.items()}
    found = answers(engine, [Item(image, {}) for image in (BRIGHT, DARK, MID)])
    assert (label(found[0]), type(found[1]), label(found[2])) == ("bright", WorkFailed, "mid")
    assert "head 'shade' gave NaN or infinity" in caplog.text


def test_an_instance_of_which_the_head_makes_no_number_leaves_the_others_alone(pooling_path: Path) -> None:
    engine = Engine.load(pooling_path, device="cpu")
    engine.head_set.heads = {name: DizzyHead(head.session, head.spec) for name, head in engine.heads.items()}
    found = answers(engine, [Item(BRIGHT, {}, (BRIGHT,)), Item(DARK, {}, (DARK,)), Item(DARK, {}, (BRIGHT,))])
    assert (label(found[0]), type(found[1]), label(found[2])) == ("bright", WorkFailed, "mid")


def test_instances_are_decided_on_in_a_thread_by_a_model_that_computes_in_one(pooling_path: Path) -> None:
    engine = HeldEngine.load(pooling_path, device="cpu")

    async def test(pipeline: Pipeline) -> list[Result | TandemError]:
        running = asyncio.create_task(asked(pipeline, [Item(DARK, {}, (BRIGHT, DARK)), Item(BRIGHT, {})]))
        await engine.wait_until_entered()
        engine.release.set()
        return await running

    found = run(engine, test)
    assert [label(answer) for answer in found] == ["mid", "bright"]
    assert engine.batches == [2], "equal images are embedded once"


def test_an_instance_whose_deadline_passes_while_it_is_embedded_is_not_decided_on(pooling_path: Path) -> None:
    engine = HeldEngine.load(pooling_path, device="cpu")

    async def test(pipeline: Pipeline) -> None:
        running = asyncio.create_task(asked(pipeline, [Item(DARK, {}, (BRIGHT,))], seconds=0.3))
        await engine.wait_until_entered()
        expired_at = time.monotonic() + 0.3
        await until(lambda: time.monotonic() > expired_at)
        engine.release.set()
        with pytest.raises(DeadlineExceeded):
            await running

    run(engine, test)
