"""No body of the Open Inference Protocol, over HTTP or gRPC, causes a 500 or takes memory for good."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import random
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import httpx
import psutil
import pytest

from service.grpc import open_inference_pb2 as messages
from service.grpc.grpc_routes import SERVICE
from tests.chaos.inputs.mutations import mutated
from tests.chaos.inputs.pictures import SNEAKER
from tests.chaos.rig.reliability import Reliability
from tests.chaos.rig.servers import HOST, Server, free_port, serving

SEED = 20_261_129
QUICK, MUTANTS = 200, 5_600
GOOD_SHARE = 0.1
"""Of the requests that are sent as they are, so that something is answered all along."""
WARM_UP, GRPC_WARM_UP = 5_000, 28_000
"""Calls until the memory of two workers has settled: over HTTP within 3,000, over gRPC, 100 MiB higher, after 24,000;
in the 24,000 calls after those it stayed within 20 MiB."""
MEMORY_MIB = 32
MIB = 1024 * 1024
JSON_BYTES = "inference-header-content-length"
INFER = "/v2/models/fashion-mnist/infer"
TENSOR = struct.pack("<I", len(SNEAKER)) + SNEAKER


class Body(NamedTuple):
    """One request's headers and content."""

    headers: dict[str, str]
    content: bytes


def given(**changes: Any) -> dict[str, Any]:
    tensor = {"name": "image", "datatype": "BYTES", "shape": [1], "data": [base64.b64encode(SNEAKER).decode()]}
    return {**tensor, **changes}


def as_json(document: Any) -> Body:
    return Body({}, json.dumps(document).encode())


def binary(shape: list[int], size: int, tensor: bytes = TENSOR, **parameters: Any) -> Body:
    one = {"name": "image", "datatype": "BYTES", "shape": shape, "parameters": {"binary_data_size": size}}
    text = json.dumps({"inputs": [one], "parameters": {"binary_data_output": True, **parameters}}).encode()
    return Body({JSON_BYTES: str(len(text))}, text + tensor)


GOOD = (
    as_json({"id": "1", "inputs": [given()], "outputs": [{"name": "category.label"}, {"name": "embedding"}]}),
    as_json({"inputs": [given(shape=[2, 1], data=[[given()["data"][0]]] * 2)], "parameters": {"timeout": 10**6}}),
    binary([1], len(TENSOR)),
    binary([3], 3 * len(TENSOR), TENSOR * 3),
    Body({JSON_BYTES: "0"}, SNEAKER),
)
HOSTILE = (
    binary([1], 2**62),
    binary([2**62], len(TENSOR)),
    binary([1], 4, b"\xff\xff\xff\xff"),
    binary([1], len(TENSOR), TENSOR, timeout=2**62),
    Body({JSON_BYTES: "18446744073709551616"}, b"{}"),
    Body({"content-encoding": "gzip"}, gzip.compress(bytes(200 * MIB), 1)[: 9 * MIB]),
    Body({"content-encoding": "gzip", JSON_BYTES: "2"}, gzip.compress(b"{}")),
    Body({}, b"[" * 1_000_000),
    Body({}, b'{"inputs":' + b'[{"name":' * 200_000),
    Body({}, b'{"inputs":[' + b"{}," * 2_000_000 + b"{}]}"),
    as_json({"inputs": [given(shape=[1] * 10_000)]}),
    as_json({"inputs": [given(data=[[[["x"]]]])]}),
    as_json({"inputs": [given(name="x" * 1_000_000)]}),
    as_json({"inputs": [given()] * 10_000}),
    as_json({"inputs": [given()], "outputs": [{"name": "embedding"}] * 20_000}),
    as_json({"inputs": [given()], "outputs": [{"name": ""}]}),
    as_json({"inputs": [given()], "outputs": [{"name": str(number)} for number in range(20_000)]}),
)


def message(**changes: Any) -> bytes:
    request = messages.ModelInferRequest(model_name="fashion-mnist", id="1")
    request.inputs.add(name="image", datatype="BYTES", shape=changes.get("shape", [1]))
    request.raw_input_contents.append(changes.get("raw", TENSOR))
    return request.SerializeToString()


def typed_message() -> bytes:
    request = messages.ModelInferRequest(model_name="fashion-mnist")
    request.inputs.add(name="image", datatype="BYTES", shape=[1]).contents.bytes_contents.append(SNEAKER)
    request.outputs.add(name="category.probabilities")
    request.parameters["timeout"].int64_param = 1_000_000
    return request.SerializeToString()


GOOD_MESSAGES = (message(), message(shape=[2], raw=TENSOR * 2), typed_message())
HOSTILE_MESSAGES = (
    message(shape=[2**62]),
    message(shape=[2**62, 2**62]),
    message(raw=b"\xff\xff\xff\xff"),
    message(shape=[-1]),
    b"\x3a" * 100_000,
    b"\x2a\xff\xff\xff\xff\x0f",
    b"\x0a\x02\xff\xff",
)
ALLOWED = {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"}


def mutants(number: int, count: int) -> Iterator[random.Random]:
    return (random.Random(SEED + number * 1_000_000 + seed) for seed in range(count))


def over_http(server: Server, count: int) -> Iterator[str]:
    """The status of each answer; what is wrong with its form is an assertion's."""

    def bodies() -> Iterator[Body]:
        yield from HOSTILE
        for rng in mutants(1, count):
            parent = rng.choice(GOOD)
            headers, is_mutant = dict(parent.headers), rng.random() > GOOD_SHARE
            content = mutated(rng, parent.content) if is_mutant else parent.content
            if is_mutant and headers and rng.random() < 0.3:
                headers[JSON_BYTES] = str(rng.choice((0, 1, len(content), len(content) + 1, rng.randrange(10**6))))
            yield Body(headers, content)

    with httpx.Client(base_url=server.url, timeout=30, trust_env=False) as client:
        for body in bodies():
            response = client.post(INFER, content=body.content, headers=body.headers)
            if response.status_code != 200:
                assert response.headers["content-type"] == "application/json", response.text
                assert list(response.json()) == ["error"]
            yield str(response.status_code)


def over_grpc(port: int, count: int) -> Iterator[str]:
    def contents() -> Iterator[bytes]:
        yield from HOSTILE_MESSAGES
        for rng in mutants(2, count):
            content = rng.choice(GOOD_MESSAGES)
            yield mutated(rng, content) if rng.random() > GOOD_SHARE else content

    with grpc.insecure_channel(f"{HOST}:{port}", options=[("grpc.max_send_message_length", -1)]) as channel:
        infer = channel.unary_unary(f"{SERVICE}ModelInfer")
        for content in contents():
            try:
                infer(content, timeout=30)
                yield "OK"
            except grpc.RpcError as error:
                yield str(error.code().name)  # type: ignore[attr-defined]


@contextlib.contextmanager
def attacked(folder: Path) -> Iterator[tuple[Server, int]]:
    """A server of both protocols, whose workers are the same at the end and have no traceback in the log."""
    port = free_port()
    with serving(folder, workers=2, grpc_port=port) as server:
        workers = server.workers()
        yield server, port
        assert server.workers() == workers, "a worker was replaced"
        assert "Traceback" not in server.log_text()
        assert server.predict(SNEAKER).status == 200


def memory_mib(server: Server) -> float:
    return sum(psutil.Process(pid).memory_info().rss for pid in server.workers()) / MIB


def check(ask: Callable[[int], Iterator[str]], count: int, allowed: Callable[[str], bool]) -> Counter[str]:
    found = Counter(ask(count))
    assert all(allowed(status) for status in found), found
    return found


def is_fine(status: str) -> bool:
    return status in {"200", "400", "404", "415", "503", "504"}


@pytest.mark.chaos
def test_few_mutants_cause_no_500(tmp_path: Path) -> None:
    with attacked(tmp_path) as (server, port):
        check(lambda count: over_http(server, count), QUICK, is_fine)
        check(lambda count: over_grpc(port, count), QUICK, ALLOWED.__contains__)


@pytest.mark.chaos
def test_no_mutant_causes_a_500_or_takes_memory(tmp_path: Path, reliability: Reliability) -> None:
    with attacked(tmp_path) as (server, port):
        at_first = memory_mib(server)
        check(lambda count: over_http(server, count), WARM_UP, is_fine)
        check(lambda count: over_grpc(port, count), GRPC_WARM_UP, ALLOWED.__contains__)
        before = memory_mib(server)
        http = check(lambda count: over_http(server, count), MUTANTS, is_fine)
        rpc = check(lambda count: over_grpc(port, count), MUTANTS, ALLOWED.__contains__)
        grown = memory_mib(server) - before
    assert min(http["200"], http["400"], rpc["OK"], rpc["INVALID_ARGUMENT"]) > 100, "both sides are tried"
    measured = f"0 in {http.total()} over HTTP and {rpc.total()} over gRPC; {grown:+.1f} MiB "
    measured += f"after {WARM_UP:,} and {GRPC_WARM_UP:,} others, which took {before - at_first:.0f} MiB"
    is_met = grown <= MEMORY_MIB
    reliability.record(
        "no body of the Open Inference Protocol causes a 500, INTERNAL or UNKNOWN, nor takes memory for good",
        f"0 in 5,000 each, at most {MEMORY_MIB} MiB",
        measured,
        is_met,
    )
    assert is_met, measured
