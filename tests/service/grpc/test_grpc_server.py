"""gRPC on a socket: what each method answers, and which status tells what is wrong."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import grpc
import grpc.aio
import pytest
from google.protobuf.message import Message

from models.errors import NotFound
from models.runtime.engine import Engine
from service.gateway.api_keys import ApiKeys
from service.gateway.transaction import Transaction
from service.grpc import open_inference_pb2 as messages
from service.grpc.grpc_routes import SERVICE, GrpcRoutes
from service.grpc.grpc_server import GrpcError, GrpcServer
from service.inference.pipeline import Pipeline
from service.messages import Response
from service.process.keys_command import line_of, new_key
from tests.chaos.rig.servers import free_port
from tests.service.serving import DARK, METRICS, MID, TEXT, HeldEngine, Site, post_image
from tests.tiny_bundle import CLASSES

Kind = TypeVar("Kind", bound=Message)
HOST = "127.0.0.1"


def unknown(transaction: Transaction) -> Response:
    raise NotFound(transaction.request.path)


class Caller:
    """A channel to a server, and the parts behind it."""

    def __init__(self, site: Site, server: GrpcServer, channel: grpc.aio.Channel) -> None:
        self.site = site
        self.server = server
        self.channel = channel

    async def call(self, method: str, request: Message | bytes, kind: type[Kind], **options: Any) -> Kind:
        body = request if isinstance(request, bytes) else request.SerializeToString()
        self.last = self.channel.unary_unary(f"{SERVICE}{method}")(
            body, timeout=options.pop("timeout", 10.0), **options
        )
        return kind.FromString(await self.last)

    async def infer(self, request: messages.ModelInferRequest, **options: Any) -> messages.ModelInferResponse:
        return await self.call("ModelInfer", request, messages.ModelInferResponse, **options)

    async def refused(self, method: str, request: Message | bytes, **options: Any) -> tuple[grpc.StatusCode, str]:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.call(method, request, messages.ModelInferResponse, **options)
        return caught.value.code(), str(caught.value.details())


@contextlib.asynccontextmanager
async def calling(engine: Engine, keys: ApiKeys | None = None, **settings: Any) -> AsyncIterator[Caller]:
    site = Site(keys, grpc_port=free_port(), **settings)
    pipeline = Pipeline(engine, site.settings, METRICS, site.admission)
    routes = GrpcRoutes(pipeline, site.settings, lambda: site.lifecycle.draining).routes()
    server = GrpcServer(lambda: site.gateway(routes, unknown), site.settings, HOST)
    pipeline.start()
    await server.start()
    options = [("grpc.enable_retries", 0), ("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(f"{HOST}:{site.settings.grpc_port}", options=options) as channel:
        try:
            yield Caller(site, server, channel)
        finally:
            await server.stop(0)
            pipeline.close()
    assert (site.lifecycle.in_flight, site.admission.images, site.admission.bytes) == (0, 0, 0)


def run(test: Callable[[Caller], Awaitable[None]], engine: Engine, **settings: Any) -> None:
    async def asked() -> None:
        async with calling(engine, **settings) as caller:
            await test(caller)

    asyncio.run(asked())


def images(*data: bytes, **fields: Any) -> messages.ModelInferRequest:
    """A request with raw contents."""
    request = messages.ModelInferRequest(model_name="tiny", **fields)
    request.inputs.add(name="image", datatype="BYTES", shape=[len(data)])
    request.raw_input_contents.append(b"".join(struct.pack("<I", len(one)) + one for one in data))
    return request


def typed(*data: bytes) -> messages.ModelInferRequest:
    request = messages.ModelInferRequest(model_name="tiny")
    tensor = request.inputs.add(name="image", datatype="BYTES", shape=[len(data)])
    tensor.contents.bytes_contents.extend(data)
    return request


def test_server_and_model_are_told(engine: Engine) -> None:
    async def test(caller: Caller) -> None:
        named = messages.ModelRequest(name="tiny", version="1")
        assert (await caller.call("ServerLive", b"", messages.ServerLiveResponse)).live
        assert (await caller.call("ServerReady", b"", messages.ServerReadyResponse)).ready
        assert (await caller.call("ServerMetadata", b"", messages.ServerMetadataResponse)).name == "tandem"
        assert (await caller.call("ModelReady", named, messages.ModelReadyResponse)).ready
        metadata = await caller.call("ModelMetadata", named, messages.ModelMetadataResponse)
        assert [(one.name, one.datatype, list(one.shape)) for one in metadata.inputs] == [("image", "BYTES", [-1])]
        assert (list(metadata.versions), metadata.outputs[1].name) == (["1"], "shade.probabilities")
        config = (await caller.call("ModelConfig", named, messages.ModelConfigResponse)).config
        assert (config.name, config.input[0].data_type) == ("tiny", messages.TYPE_STRING)
        assert config.parameters["shade.classes"].string_value == '["dark", "mid", "bright"]'
        (index,) = (await caller.call("RepositoryIndex", b"", messages.RepositoryIndexResponse)).models
        assert (index.name, index.version, index.state) == ("tiny", "1", "READY")
        (told,) = (await caller.call("ModelStatistics", named, messages.ModelStatisticsResponse)).model_stats
        assert told.name == "tiny"

    run(test, engine)


def test_raw_contents_are_answered_by_raw_ones(engine: Engine) -> None:
    async def test(caller: Caller) -> None:
        request = images(MID, DARK, id="7")
        request.outputs.add(name="shade.label")
        request.outputs.add(name="embedding")
        response = await caller.infer(request)
        assert (response.model_name, response.model_version, response.id) == ("tiny", "1", "7")
        assert [(one.name, list(one.shape)) for one in response.outputs] == [
            ("shade.label", [2]),
            ("embedding", [2, 4]),
        ]
        assert response.raw_output_contents[0] == b"\3\0\0\0mid\4\0\0\0dark"
        assert len(response.raw_output_contents[1]) == 2 * 4 * 4
        assert not any(output.HasField("contents") for output in response.outputs)
        trailing = dict(await caller.last.trailing_metadata())
        assert trailing["x-tandem-model"] == "tiny@1"

    run(test, engine)


def test_typed_contents_are_answered_by_typed_ones_as_predict_answers(engine: Engine) -> None:
    wanted = post_image(engine, MID).json()

    async def test(caller: Caller) -> None:
        response = await caller.infer(typed(MID))
        found = {one.name: one.contents for one in response.outputs}
        assert list(found["shade.label"].bytes_contents) == [wanted["label"].encode()]
        assert list(found["shade.decision"].bytes_contents) == [wanted["decision"].encode()]
        shown = dict(zip(CLASSES, found["shade.probabilities"].fp32_contents, strict=True))
        assert shown == pytest.approx(wanted["probabilities"], abs=1e-6)
        assert not response.raw_output_contents

    run(test, engine)


def test_columns_are_taken_typed(priced_engine: Engine) -> None:
    async def test(caller: Caller) -> None:
        request = typed(MID, DARK)
        request.model_name = "priced"
        request.inputs.add(name="shift", datatype="FP64", shape=[2]).contents.fp64_contents.extend([0.0, 1.5])
        request.inputs.add(name="force", datatype="BYTES", shape=[2]).contents.bytes_contents.extend([b"bright", b""])
        request.inputs.add(name="invert", datatype="BOOL", shape=[2]).contents.bool_contents.extend([False, True])
        assert len((await caller.infer(request)).outputs[0].contents.bytes_contents) == 2

    run(test, priced_engine)


def wrong(
    change: Callable[[messages.ModelInferRequest], Any], request: messages.ModelInferRequest | None = None
) -> Any:
    request = request or images(MID)
    change(request)
    return request


INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("request_", "status", "reason"),
    [
        pytest.param(b"\xff\xff", INVALID, "the body is no ModelInferRequest", id="no message"),
        pytest.param(images(MID, TEXT), INVALID, "image 1: unsupported_type: ", id="a bad image"),
        pytest.param(messages.ModelInferRequest(model_name="tiny"), INVALID, "no input 'image'", id="no input"),
        pytest.param(
            messages.ModelInferRequest(model_name="huge"), grpc.StatusCode.NOT_FOUND, "'tiny' is served", id="a model"
        ),
        pytest.param(
            images(MID, model_version="2"), grpc.StatusCode.NOT_FOUND, "no version '2' here", id="another version"
        ),
        pytest.param(
            wrong(lambda it: it.raw_input_contents.append(b"")), INVALID, "2 entries; there are 1 inputs", id="raw more"
        ),
        pytest.param(
            wrong(lambda it: it.inputs[0].contents.bytes_contents.append(b"")),
            INVALID,
            "both contents and raw_input_contents",
            id="both contents",
        ),
        pytest.param(
            wrong(lambda it: it.inputs[0].contents.fp32_contents.append(1.0), typed(MID)),
            INVALID,
            "of the datatype 'BYTES' has fp32_contents",
            id="contents of another type",
        ),
        pytest.param(wrong(lambda it: it.inputs[0].shape.__setitem__(0, -1)), INVALID, "below 0: [-1]", id="size -1"),
        pytest.param(wrong(lambda it: it.inputs[0].shape.__setitem__(0, 2)), INVALID, "and 1", id="shape too big"),
        pytest.param(
            wrong(lambda it: it.inputs[0].parameters["shared_memory_region"].__setattr__("string_param", "x")),
            INVALID,
            "that extension is not available here",
            id="shared memory",
        ),
    ],
)
def test_what_is_wrong_has_a_status_and_a_reason(
    engine: Engine, request_: Any, status: grpc.StatusCode, reason: str
) -> None:
    async def test(caller: Caller) -> None:
        code, details = await caller.refused("ModelInfer", request_)
        assert (code, reason in details) == (status, True), details

    run(test, engine)


def test_an_error_tells_its_code_and_request(engine: Engine) -> None:
    async def test(caller: Caller) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await caller.infer(images(TEXT), metadata=(("x-request-id", "abc"),))
        trailing = dict(caught.value.trailing_metadata())
        assert (trailing["x-request-id"], trailing["x-tandem-code"]) == ("abc", "unsupported_type")

    run(test, engine)


def test_a_model_is_not_changed_over_the_network(engine: Engine) -> None:
    async def test(caller: Caller) -> None:
        request = messages.RepositoryModelRequest(model_name="tiny")
        for method in ("RepositoryModelLoad", "RepositoryModelUnload"):
            code, details = await caller.refused(method, request)
            assert (code, "promote" in details) == (INVALID, True)

    run(test, engine)


@pytest.mark.parametrize("path", [f"{SERVICE}ModelStreamInfer", f"{SERVICE}Nothing", "/x/y"])
def test_a_method_that_is_none_is_unimplemented(engine: Engine, path: str) -> None:
    async def test(caller: Caller) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await caller.channel.unary_unary(path)(b"", timeout=10.0)
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED

    run(test, engine)


def test_a_draining_server_answers_and_is_not_ready(engine: Engine) -> None:
    async def test(caller: Caller) -> None:
        caller.site.lifecycle.draining = True
        assert not (await caller.call("ServerReady", b"", messages.ServerReadyResponse)).ready
        assert (await caller.infer(images(MID))).outputs

    run(test, engine)


def test_a_key_is_asked_for_but_not_to_see_whether_the_server_lives(engine: Engine, tmp_path: Path) -> None:
    key = new_key()
    file = tmp_path / "keys"
    file.write_text(f"{line_of('me', key)}\n")

    async def test() -> None:
        async with calling(engine, ApiKeys.open(file)) as caller:
            assert (await caller.call("ServerLive", b"", messages.ServerLiveResponse)).live
            assert (await caller.call("ServerReady", b"", messages.ServerReadyResponse)).ready
            assert (await caller.refused("ModelInfer", images(MID)))[0] == grpc.StatusCode.UNAUTHENTICATED
            assert (await caller.infer(images(MID), metadata=(("authorization", f"Bearer {key}"),))).outputs

    asyncio.run(test())


def test_a_message_over_the_limit_is_refused_unread(engine: Engine) -> None:
    async def test(caller: Caller) -> None:
        code, details = await caller.refused("ModelInfer", images(bytes(4096)))
        assert (code, "1024" in details) == (grpc.StatusCode.RESOURCE_EXHAUSTED, True)

    run(test, engine, max_body_bytes=1024)


def test_a_compressed_message_is_held_to_the_same_limit(engine: Engine) -> None:
    async def test(caller: Caller) -> None:
        bomb = images(bytes(4_000_000))
        code, _ = await caller.refused("ModelInfer", bomb, compression=grpc.Compression.Gzip)
        assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (await caller.infer(images(MID), compression=grpc.Compression.Gzip)).outputs

    run(test, engine, max_body_bytes=100_000)


def silent(caller: Caller, **options: Any) -> Any:
    """A call whose message does not come."""
    return caller.channel.stream_unary(f"{SERVICE}ModelInfer")(timeout=10.0, **options)


def test_a_call_without_a_message_ends_with_the_server_s_deadline(engine: Engine) -> None:
    async def test(caller: Caller) -> None:
        calls = [silent(caller) for _ in range(60)]
        for call in calls:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert (await caller.infer(images(MID))).outputs

    run(test, engine, deadline_ms=300, max_buffered_bytes=2048, max_body_bytes=1024)


def test_a_call_that_ends_without_a_message_is_refused(engine: Engine) -> None:
    async def test(caller: Caller) -> None:
        call = silent(caller)
        await call.done_writing()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert (caught.value.code(), caught.value.details()) == (INVALID, "the call has no message")

    run(test, engine)


def test_a_missing_key_is_told_before_the_message_comes(engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"{line_of('me', new_key())}\n")

    async def test() -> None:
        async with calling(engine, ApiKeys.open(file)) as caller:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await silent(caller)
            assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED

    asyncio.run(test())


def test_health_is_told_as_probes_ask_for_it(engine: Engine) -> None:
    async def test(caller: Caller) -> None:
        check = caller.channel.unary_unary("/grpc.health.v1.Health/Check")
        assert await check(b"", timeout=10.0) == b"\x08\x01"  # SERVING
        caller.site.lifecycle.draining = True
        assert await check(b"", timeout=10.0) == b"\x08\x02"  # NOT_SERVING

    run(test, engine)


@pytest.mark.parametrize("given", [{"int64_param": -1}, {"string_param": "5"}, {"bool_param": True}, {}])
def test_a_timeout_that_is_none_is_refused(engine: Engine, given: dict[str, Any]) -> None:
    async def test(caller: Caller) -> None:
        request = images(MID)
        request.parameters["timeout"].CopyFrom(messages.InferParameter(**given))
        code, details = await caller.refused("ModelInfer", request)
        assert (code, "whole number of microseconds" in details) == (INVALID, True)

    run(test, engine)


def test_no_room_is_told_with_the_time_to_try_again(held_engine: HeldEngine) -> None:
    async def test(caller: Caller) -> None:
        first = asyncio.create_task(caller.infer(images(MID, MID)))
        await held_engine.wait_until_entered()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await caller.infer(images(MID))
        held_engine.release.set()
        await first
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert int(dict(caught.value.trailing_metadata())["retry-after"]) >= 1

    run(test, held_engine, max_queue=2, max_images=2)


def test_a_call_s_own_deadline_drops_the_work(held_engine: HeldEngine) -> None:
    async def test(caller: Caller) -> None:
        code, _ = await caller.refused("ModelInfer", images(MID), timeout=0.2)
        held_engine.release.set()
        assert code == grpc.StatusCode.DEADLINE_EXCEEDED

    run(test, held_engine)


def test_the_server_s_deadline_is_kept(held_engine: HeldEngine) -> None:
    async def test(caller: Caller) -> None:
        code, _ = await caller.refused("ModelInfer", images(MID))
        held_engine.release.set()
        assert code == grpc.StatusCode.DEADLINE_EXCEEDED

    run(test, held_engine, deadline_ms=200)


def test_what_is_under_way_at_the_end_is_answered(held_engine: HeldEngine) -> None:
    async def test(caller: Caller) -> None:
        answer = asyncio.create_task(caller.infer(images(MID)))
        await held_engine.wait_until_entered()
        stopping = asyncio.create_task(caller.server.stop(10.0))
        await asyncio.sleep(0)
        held_engine.release.set()
        assert (await answer).outputs
        await stopping

    run(test, held_engine)


def test_a_port_that_another_program_has_is_named(engine: Engine) -> None:
    async def test() -> None:
        with socket.socket() as taken:
            taken.bind((HOST, 0))
            taken.listen()
            port = taken.getsockname()[1]
            server = GrpcServer(lambda: Site().gateway({}, unknown), Site(grpc_port=port).settings, HOST)
            with pytest.raises(GrpcError, match=f"TANDEM_GRPC_PORT={port}: {HOST}:{port} cannot be listened on"):
                await server.start()

    asyncio.run(test())


def test_where_a_bundle_pools_an_image_is_an_instance_of_its_own(pooling_engine: Engine) -> None:
    async def test(caller: Caller) -> None:
        request = images(MID, DARK)
        request.model_name = "pooling"
        request.outputs.add(name="level.value")
        request.outputs.add(name="embedding")
        response = await caller.infer(request)
        assert [(one.name, list(one.shape)) for one in response.outputs] == [
            ("level.value", [2]),
            ("embedding", [2, 4]),
        ]

    run(test, pooling_engine)
