"""Whole requests of one small image, answered on the connection, as the routes would."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from service.http.shortcut import Shortcut
from starlette.types import Receive, Scope, Send

from models.runtime.engine import Engine
from models.runtime.engine_types import EngineInput, Result
from service.api.routes import build_routes
from service.gateway.api_keys import ApiKeys
from service.gateway.gateway import Gate
from service.inference.pipeline import Pipeline
from service.observability.service_metrics import exposition
from service.process.worker import Worker
from tests.service.callers import Answer, run
from tests.service.http.test_connection import Site, listening
from tests.service.observability.test_service_metrics import samples
from tests.service.serving import BRIGHT, DARK, MID, TEXT, until, worker_of
from tests.tiny_bundle import solid_image, tiny_bundle


class LoadedModel:
    """A site of a pipeline's routes, with the shortcut, and what came to the framework nevertheless."""

    def __init__(self, site: Site, worker: Worker, pipeline: Pipeline, framework: list[str]) -> None:
        self.site, self.worker, self.pipeline, self.framework = site, worker, pipeline, framework

    async def ask(self, request: bytes) -> Answer:
        return await (await self.site.caller()).ask(request)


FRAMEWORK = "X-Request-Timeout-Ms: 60000"
"""A header that the shortcut leaves to the framework."""


def post(body: bytes, *headers: str, path: str = "/v1/predict", kind: str = "image/png") -> bytes:
    head = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


@contextlib.asynccontextmanager
async def served(engine: Engine, **settings: Any) -> AsyncIterator[LoadedModel]:
    worker = worker_of(Path("unused"), **settings)
    pipeline = Pipeline(engine, worker)
    routes = build_routes()
    routes.state.pipeline = pipeline
    gate = Gate(routes, routes=routes, worker=worker)
    framework: list[str] = []

    async def noted(scope: Scope, receive: Receive, send: Send) -> None:
        framework.append(scope["path"])
        await gate(scope, receive, send)

    pipeline.start()
    worker.shortcut = Shortcut(worker, pipeline)
    try:
        async with listening(noted, worker) as site:
            yield LoadedModel(site, worker, pipeline, framework)
    finally:
        pipeline.close()


def serving(engine: Engine, test: Callable[[LoadedModel], Awaitable[None]], **settings: Any) -> None:
    async def serve() -> None:
        async with served(engine, **settings) as site:
            await test(site)
            assert site.worker.lifecycle.in_flight == 0
            assert (site.worker.admission.images, site.worker.admission.bytes) == (0, 0)

    run(serve())


def count(name: str) -> float:
    return samples(exposition().decode()).get(name, 0.0)


@pytest.mark.parametrize("kind", ["image/png", "IMAGE/anything", "application/octet-stream"])
def test_the_answer_is_the_frameworks(engine: Engine, kind: str) -> None:
    async def test(site: LoadedModel) -> None:
        for image in (BRIGHT, DARK):
            short = await site.ask(post(image, "X-Request-Id: a-1", kind=kind))
            assert site.framework == []
            long = await site.ask(post(image, "X-Request-Id: a-1", FRAMEWORK, kind=kind))
            assert site.framework.pop() == "/v1/predict"
            assert short == long

    serving(engine, test)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [(TEXT, 415, "unsupported_type"), (MID[:40], 400, "bad_image"), (b"\xff", 400, "bad_image")],
    ids=["no image", "half an image", "one byte"],
)
def test_what_is_wrong_with_an_image_is_said_as_the_framework_says_it(
    engine: Engine, body: bytes, status: int, code: str
) -> None:
    async def test(site: LoadedModel) -> None:
        refused = count(f'tandem_refusals_total{{code="{code}"}}')
        short = await site.ask(post(body, "X-Request-Id: a-1"))
        assert (short.status, json.loads(short.body)["code"], site.framework) == (status, code, [])
        long = await site.ask(post(body, "X-Request-Id: a-1", FRAMEWORK))
        assert short == long
        assert count(f'tandem_refusals_total{{code="{code}"}}') == refused + 2

    serving(engine, test)


@pytest.mark.parametrize(
    "request_",
    [
        post(BRIGHT, "X-Request-Timeout-Ms: 5000"),
        post(BRIGHT, "X-Forwarded-For: 10.0.0.1"),
        post(BRIGHT, "Expect: 100-continue"),
        post(BRIGHT, path="/v1/embed"),
        post(BRIGHT, path="/v1/predictions?top_k=1"),
        post(BRIGHT).replace(b"HTTP/1.1", b"HTTP/1.0"),
        post(solid_image(128, size=(600, 600))),
        post(solid_image(128) + bytes(40_000)),
        post(b""),
        post(json.dumps({"instances": []}).encode(), kind="application/json"),
    ],
    ids=[
        "a deadline",
        "a proxy's header",
        "a caller who waits to send",
        "another route",
        "a route with a longer name",
        "an older HTTP",
        "many pixels",
        "many bytes",
        "no body",
        "another type",
    ],
)
def test_whatever_is_more_than_one_small_image_is_the_frameworks(engine: Engine, request_: bytes) -> None:
    async def test(site: LoadedModel) -> None:
        caller = await site.site.caller()
        await caller.send(request_)
        await until(lambda: len(site.framework) == 1)
        status = (await caller.answer()).status
        assert status in (100, 200, 400, 404)
        if status == 100:
            assert (await caller.answer()).status == 200

    serving(engine, test)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("top_k=1", 200),
        ("heads=shade", 200),
        ("heads=priced,shade&top_k=2", 422),
        ("", 200),
        ("heads=nosuch", 400),
        ("timing=2", 400),
        ("explain=1", 400),
        ("typo=%41&top_k=1", 400),
        ("top_k=%31", 200),
    ],
)
def test_options_are_read_as_the_framework_reads_them(two_heads: Engine, query: str, status: int) -> None:
    async def test(site: LoadedModel) -> None:
        for image in (BRIGHT, DARK, BRIGHT):
            short = await site.ask(post(image, "X-Request-Id: a-1", path=f"/v1/predict?{query}"))
            assert site.framework == []
            long = await site.ask(post(image, "X-Request-Id: a-1", FRAMEWORK, path=f"/v1/predict?{query}"))
            assert site.framework.pop() == "/v1/predict"
            assert (short.status, long.status) == (status, status)
            assert short.body == long.body  # a refusal before the body was read ends the connection

    serving(two_heads, test)


def test_two_queries_on_a_connection_are_not_taken_for_each_other(engine: Engine) -> None:
    async def test(site: LoadedModel) -> None:
        caller = await site.site.caller()
        for k in (1, 2, 3, 1, 2, 3):
            answer = await caller.ask(post(BRIGHT, path=f"/v1/predict?top_k={k}"))
            assert len(json.loads(answer.body)["probabilities"]) == k
        assert site.framework == []

    serving(engine, test)


def test_an_explanation_takes_longer_and_is_the_frameworks(tmp_path: Path) -> None:
    async def test(site: LoadedModel) -> None:
        answer = await site.ask(post(BRIGHT, path="/v1/predict?explain=1"))
        assert json.loads(answer.body)["explanation"]["neighbours"][0]["label"] == "bright"
        assert site.framework == ["/v1/predict"]

    serving(Engine.load(tiny_bundle(tmp_path, explained=True), device="cpu"), test)


def test_a_body_that_comes_later_is_the_frameworks(engine: Engine) -> None:
    async def test(site: LoadedModel) -> None:
        caller = await site.site.caller()
        await caller.send(post(BRIGHT)[:-5])
        await until(lambda: len(site.framework) == 1)
        await caller.send(post(BRIGHT)[-5:])
        assert (await caller.answer()).status == 200

    serving(engine, test)


def test_requests_that_were_sent_at_once_are_answered_in_their_order(engine: Engine) -> None:
    async def test(site: LoadedModel) -> None:
        caller = await site.site.caller()
        await caller.send(post(BRIGHT), post(DARK), post(BRIGHT, path="/v1/predict?top_k=1"), post(MID))
        labels = [json.loads((await caller.answer()).body)["label"] for _ in range(4)]
        assert labels == ["bright", "dark", "bright", "mid"]

    serving(engine, test)


def test_a_connection_goes_on_and_may_be_told_to_end(engine: Engine) -> None:
    async def test(site: LoadedModel) -> None:
        caller = await site.site.caller()
        for _ in range(3):
            assert (await caller.ask(post(BRIGHT))).status == 200
        last = await caller.ask(post(BRIGHT, "Connection: close"))
        assert last.headers["connection"] == "close"
        assert await caller.rest() == b""
        assert site.site.state.total_requests == 4

    serving(engine, test)


def test_while_the_server_drains_it_is_refused_and_the_connection_ends(engine: Engine) -> None:
    async def test(site: LoadedModel) -> None:
        caller = await site.site.caller()
        site.worker.lifecycle.draining = True
        answer = await caller.ask(post(BRIGHT))
        assert (answer.status, answer.headers["connection"]) == (503, "close")
        assert await caller.rest() == b""

    serving(engine, test)


def test_a_key_is_asked_for(engine: Engine, tmp_path: Path) -> None:
    async def test(site: LoadedModel) -> None:
        file = tmp_path / "keys"
        file.write_text("")
        site.worker.keys = ApiKeys.open(file)
        caller = await site.site.caller()
        for _ in range(2):  # on the same connection
            assert (await caller.ask(post(BRIGHT))).status == 401
        assert site.framework == []

    serving(engine, test)


def test_columns_that_the_head_needs_are_missed(priced_engine: Engine) -> None:
    async def test(site: LoadedModel) -> None:
        answer = await site.ask(post(BRIGHT))
        assert (answer.status, json.loads(answer.body)["code"]) == (422, "bad_columns")

    serving(priced_engine, test)


def test_what_there_is_no_room_for_is_refused(engine: Engine) -> None:
    async def test(site: LoadedModel) -> None:
        site.worker.admission.hold(site.worker.admission.max_bytes)
        answer = await site.ask(post(BRIGHT))
        assert (answer.status, json.loads(answer.body)["code"]) == (429, "overloaded")
        site.worker.admission.release(site.worker.admission.max_bytes)

    serving(engine, test)


class BreakingEngine(Engine):
    """An engine that cannot compute, once it is told so."""

    def run(self, works: Sequence[EngineInput], waited_s: Sequence[float]) -> list[Result]:
        if self.__dict__.get("breaks"):
            raise RuntimeError("broken")
        return super().run(works, waited_s)


def test_what_cannot_be_computed_is_our_fault(tiny_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    engine = BreakingEngine.load(tiny_path, device="cpu")

    async def test(site: LoadedModel) -> None:
        engine.__dict__["breaks"] = True
        answer = await site.ask(post(BRIGHT))
        assert (answer.status, json.loads(answer.body)["code"]) == (500, "internal")
        engine.__dict__["breaks"] = False
        assert (await site.ask(post(BRIGHT))).status == 200

    serving(engine, test)
    assert "an item could not be computed" in caplog.text


def test_a_mistake_of_ours_is_logged_and_answered(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(site: LoadedModel) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(site.pipeline, "run_one", lambda *_, **__: 1 / 0)
            assert (await site.ask(post(BRIGHT))).status == 500
        with monkeypatch.context() as patch:
            patch.setattr("service.http.shortcut.to_answer", lambda *_: 1 / 0)
            assert (await site.ask(post(BRIGHT))).status == 500
        assert (await site.ask(post(BRIGHT))).status == 200

    serving(engine, test)
    assert caplog.text.count("ZeroDivisionError") == 2


class HookedEngine(Engine):
    """An engine that does something else before a batch of one image."""

    def run(self, works: Sequence[EngineInput], waited_s: Sequence[float]) -> list[Result]:
        self.__dict__.setdefault("batches", []).append(len(works))
        if hook := self.__dict__.pop("hook", None):
            hook()
        return super().run(works, waited_s)


def test_who_has_left_is_not_computed_for(tiny_path: Path) -> None:
    engine = HookedEngine.load(tiny_path, device="cpu")
    engine.max_batch = 1

    async def test(site: LoadedModel) -> None:
        gone = count('tandem_requests_total{route="/v1/predict",status="499"}')
        stays, leaves = await site.site.caller(), await site.site.caller()
        leaving = next(c for c in site.site.connections if c.client == leaves.writer.get_extra_info("sockname"))
        engine.__dict__["batches"].clear()
        engine.__dict__["hook"] = lambda: leaving.cycle and setattr(leaving.cycle, "disconnected", True)
        # both at once, so that the second one waits while the first one's batch runs
        for connection in sorted(site.site.connections, key=lambda connection: connection is leaving):
            connection.data_received(post(BRIGHT))
        assert (await stays.answer()).status == 200
        await until(lambda: site.worker.lifecycle.in_flight == 0)
        assert engine.__dict__["batches"] == [1]
        assert count('tandem_requests_total{route="/v1/predict",status="499"}') == gone + 1

    serving(engine, test)


def test_what_expires_in_the_queue_is_said_to_be_late(engine: Engine) -> None:
    async def test(site: LoadedModel) -> None:
        site.worker.settings = site.worker.settings.model_copy(update={"deadline_ms": 1})
        caller = await site.site.caller()
        (connection,) = site.site.connections
        connection.data_received(post(BRIGHT))  # its batch runs when the loop next turns
        time.sleep(0.005)
        answer = await caller.answer()
        assert (answer.status, json.loads(answer.body)["code"]) == (504, "deadline_exceeded")

    serving(engine, test)


def test_an_image_that_comes_again_is_known(engine: Engine) -> None:
    async def test(site: LoadedModel) -> None:
        hits = count('tandem_cache_lookups_total{result="hit"}')
        first = await site.ask(post(BRIGHT, "X-Request-Id: a"))
        assert first == await site.ask(post(BRIGHT, "X-Request-Id: a"))
        assert count('tandem_cache_lookups_total{result="hit"}') == hits + 1

    serving(engine, test, cache_mb=1)


def test_a_model_that_has_a_thread_of_its_own_is_the_frameworks(held_engine: Engine) -> None:
    async def test(site: LoadedModel) -> None:
        held_engine.release.set()  # type: ignore[attr-defined]
        assert (await site.ask(post(BRIGHT))).status == 200
        assert site.framework == ["/v1/predict"]

    serving(held_engine, test)


def test_before_the_pipeline_is_ready_it_is_the_frameworks(engine: Engine) -> None:
    async def test(site: LoadedModel) -> None:
        site.pipeline.ready = False
        assert (await site.ask(post(BRIGHT))).status == 503
        assert site.framework == ["/v1/predict"]

    serving(engine, test)


def test_it_is_counted_and_logged_as_any_other(engine: Engine) -> None:
    lines: list[Any] = []

    class Log:
        def write(self, access: Any) -> None:
            lines.append(access)

    async def test(site: LoadedModel) -> None:
        site.worker.access_log = Log()  # type: ignore[assignment]
        before = count('tandem_requests_total{route="/v1/predict",status="200"}')
        answer = await site.ask(post(BRIGHT, "X-Request-Id: a-1"))
        assert count('tandem_requests_total{route="/v1/predict",status="200"}') == before + 1
        (line,) = lines
        assert dataclasses.asdict(line) | {"ms": 0.0, "client": ""} == {
            "request_id": "a-1",
            "method": "POST",
            "route": "/v1/predict",
            "path": "/v1/predict",
            "status": 200,
            "ms": 0.0,
            "client": "",
            "key": None,
            "code": None,
            "received_bytes": len(BRIGHT),
            "sent_bytes": len(answer.body),
            "images": 1,
            "model": "tiny@1",
        }

    serving(engine, test)


def test_requests_leave_no_cycles_for_the_collector(engine: Engine) -> None:
    async def test(site: LoadedModel) -> None:
        caller = await site.site.caller()
        await caller.ask(post(BRIGHT))
        gc.collect()
        gc.disable()
        try:
            for body in [BRIGHT, TEXT] * 50:
                await caller.ask(post(body))
            assert gc.collect() < 100
        finally:
            gc.enable()

    serving(engine, test)
