"""`HybridService` as BentoML runs it: in this process, and as a real server."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import bentoml
import httpx
import numpy as np
import onnxruntime as ort
import pytest

import service
import service.app
from models.bundle.loading import Bundle
from models.imaging.decode import decode
from service import HybridService
from service.api.openapi import describe
from tests.chaos.rig.servers import Server, serving
from tests.models.devices.test_placement import needs_none
from tests.service.api.test_openapi import check
from tests.service.api.test_routes import labels, noise
from tests.service.observability.test_service_metrics import samples
from tests.service.serving import (
    BRIGHT,
    DARK,
    JSON,
    MID,
    PNG,
    TEXT,
    form,
    instance,
    post_instances,
    problem,
    worker_of,
)
from tests.tiny_bundle import CLASSES

LIMIT_BYTES = 5_000_000


# ---------------------------------------------------------------- in this process


@contextlib.asynccontextmanager
async def in_process(path: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of BentoML's whole application, its start-up and shut-down included."""
    worker = worker_of(path, **settings)
    monkeypatch.setattr(service.app, "settings", worker.settings)
    monkeypatch.setattr(service.app, "worker", worker)
    application = HybridService.to_asgi()
    async with (
        application.router.lifespan_context(application),
        httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://tandem") as client,
    ):
        yield client


def ask(path: Path, monkeypatch: pytest.MonkeyPatch, method: str, url: str, **request: Any) -> httpx.Response:
    async def one() -> httpx.Response:
        async with in_process(path, monkeypatch) as client:
            return await client.request(method, url, **request)

    return asyncio.run(one())


def test_the_package_has_the_service_and_nothing_else() -> None:
    assert service.HybridService is service.app.HybridService
    with pytest.raises(AttributeError, match="no attribute 'Hybrid'"):
        service.Hybrid  # noqa: B018


def test_bentomls_route_and_ours_give_the_same_predictions(tiny_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with in_process(tiny_path, monkeypatch) as client:
            body = {"instances": [instance(noise(1)), instance(TEXT), instance(noise(2))]}
            native = await client.post("/predict", json=body)
            assert labels(native)[1] == "unsupported_type"
            assert native.json() == (await client.post("/v1/predict", json=body)).json()
            check((await client.get("/docs.json")).json(), native, "/predict")

    asyncio.run(test())


def test_columns_reach_bentomls_route(priced_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"shift": 0}, {"shift": 0, "force": "bright"}, {}]
    body = {"instances": [instance(DARK, row) for row in rows]}
    assert labels(ask(priced_path, monkeypatch, "POST", "/predict", json=body)) == ["dark", "bright", "bad_columns"]


@pytest.mark.parametrize("value", ["1" + "0" * 400, "1e400", "NaN", "true", '"12"', "[1]", '{"a": 1}'])
def test_a_wrong_column_is_422_on_bentomls_route(
    value: str, priced_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = base64.b64encode(DARK).decode()
    body = f'{{"instances": [{{"image": "{image}", "columns": {{"shift": {value}}}}}]}}'
    response = ask(priced_path, monkeypatch, "POST", "/predict", content=body, headers=JSON)
    assert "column 'shift' " in problem(response, 422, "bad_columns")


@pytest.mark.parametrize(
    ("body", "status", "code", "text"),
    [
        pytest.param("", 400, "bad_request", "not JSON", id="an empty body"),
        pytest.param("{", 400, "bad_request", "not JSON", id="half an object"),
        pytest.param("[]", 400, "bad_request", "a list of 0", id="a list"),
        pytest.param("{}", 400, "bad_request", "with keys none", id="no instances"),
        pytest.param('{"instances": []}', 400, "bad_request", "the request has no instances", id="an empty list"),
        pytest.param('{"instances": [1]}', 400, "bad_request", "instances[0] must", id="a number for an instance"),
        pytest.param(
            '{"instances": [{"image": 1}]}', 400, "bad_request", "instances[0].image", id="a number for image"
        ),
        pytest.param('{"instances": [{"image": "", "x": 1}]}', 400, "bad_request", "'x'", id="a key too many"),
        pytest.param('{"instances": [{"image": "!"}]}', 400, "bad_image", "not base64", id="wrong base64"),
        pytest.param('{"instances": [{"image": ""}]}', 400, "bad_image", "empty", id="an empty image"),
        pytest.param(
            '{"instances": [{"image": "", "columns": {"a": NaN}}]}', 400, "bad_image", "empty", id="NaN in columns"
        ),
        pytest.param(
            '{"instances": [' + '{"image": ""},' * 256 + '{"image": ""}]}', 413, "too_large", "limit is 256", id="257"
        ),
    ],
)
def test_what_bentomls_route_refuses_is_a_problem(
    body: str, status: int, code: str, text: str, tiny_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    response = ask(tiny_path, monkeypatch, "POST", "/predict", content=body, headers=JSON)
    assert text in problem(response, status, code)


def test_bentomls_route_takes_no_forms(tiny_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    problem(ask(tiny_path, monkeypatch, "POST", "/predict", **form([MID])), 415, "unsupported_type")


def test_a_body_over_the_limit_is_413_on_bentomls_route_too(tiny_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield bytes(1_000_000)

    for content in (bytes(11_000_000), chunks()):
        response = ask(tiny_path, monkeypatch, "POST", "/predict", content=content, headers=JSON)
        assert "the limit is 10485760" in problem(response, 413, "too_large")


def test_ready_from_the_start_to_the_end_and_no_longer(tiny_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with in_process(tiny_path, monkeypatch) as client:
            pipeline = service.app.routes.state.pipeline
            assert (await client.get("/readyz")).status_code == 200
            pipeline.ready = False
            problem(await client.get("/readyz"), 503, "not_ready")
            assert (await client.get("/livez")).status_code == 200
            problem(await client.post("/predict", json={"instances": [instance(MID)]}), 503, "not_ready")
            pipeline.ready = True
            assert (await client.get("/readyz")).status_code == 200
        assert not pipeline.ready

    asyncio.run(test())


def test_the_description_is_where_bentomls_page_looks_for_it(tiny_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(tiny_path, monkeypatch, "GET", "/docs.json").json() == describe(Bundle.open(tiny_path).manifest)
    assert ask(tiny_path, monkeypatch, "GET", "/").status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_another_method_on_bentomls_route_is_405(method: str, tiny_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    response = ask(tiny_path, monkeypatch, method, "/predict")
    problem(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "POST"


def test_an_unknown_route_is_404(tiny_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    problem(ask(tiny_path, monkeypatch, "GET", "/nope"), 404, "not_found")


def test_the_service_checks_before_its_workers_start(tiny_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_BUNDLE", str(tiny_path))
    monkeypatch.setenv("TANDEM_DEVICE", "cpu")
    HybridService.inner.check()
    monkeypatch.setenv("TANDEM_PRECISION", "int8")
    with pytest.raises(SystemExit):
        HybridService.inner.check()


# ---------------------------------------------------------------- as a real server


@pytest.fixture(scope="module")
def server(tiny_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`bentoml serve` with two workers."""
    folder = tmp_path_factory.mktemp("server")
    with serving(folder, tiny_path, device="auto", workers=2, max_body_bytes=LIMIT_BYTES) as started:
        yield started


def test_a_served_image_equals_the_same_files_in_process(server: Server, tiny_path: Path) -> None:
    bundle = Bundle.open(tiny_path)
    options = {"providers": ["CPUExecutionProvider"]}
    embedder = ort.InferenceSession(bundle.path / "embedder.onnx", **options)
    head = ort.InferenceSession(bundle.path / "head-shade.onnx", **options)
    images = [noise(seed) for seed in range(40)]
    pixels = np.stack([decode(image, bundle.manifest.input) for image in images])
    wanted = head.run(["probabilities"], {"embedding": embedder.run(["embedding"], {"image": pixels})[0]})[0]
    with httpx.Client(base_url=server.url) as client:
        for image, row in zip(images, wanted, strict=True):
            served = client.post("/v1/predict", content=image, headers=PNG).json()["probabilities"]
            assert served == pytest.approx(dict(zip(CLASSES, row.tolist(), strict=True)), abs=1e-5)


def test_bentomls_own_client_gets_the_same_predictions(server: Server, engine: Any) -> None:
    instances = [instance(noise(5)), instance(TEXT), instance(BRIGHT)]
    with bentoml.SyncHTTPClient(server.url) as client:
        assert client.is_ready()
        found = client.predict(instances=instances)
    assert found == post_instances(engine, instances).json()


def test_one_damaged_of_8_sent_at_once_errs_alone(server: Server) -> None:
    images = [noise(seed) for seed in range(8)]
    with httpx.Client(base_url=server.url) as client, ThreadPoolExecutor(8) as pool:

        def send(image: bytes) -> httpx.Response:
            return client.post("/v1/predict", content=image, headers=PNG)

        wanted = [send(image).json() for image in images]
        found = list(pool.map(send, [*images[:3], images[3][:-20], *images[4:]]))
    problem(found[3], 400, "bad_image")
    for index in set(range(8)) - {3}:
        assert found[index].json()["probabilities"] == pytest.approx(wanted[index]["probabilities"], abs=1e-5)


@pytest.mark.parametrize("url", ["/v1/predict", "/predict"])
def test_an_endless_body_is_refused_while_it_is_still_being_sent(server: Server, url: str) -> None:
    head = f"POST {url} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    full = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    whole, rest = divmod(LIMIT_BYTES + 1, 0x10000)
    answer = b""
    with server.connect() as connection:
        connection.sendall(head.encode() + full * whole + b"10000\r\n" + bytes(rest))
        while data := connection.recv(65536):  # ends, as the server hangs up
            answer += data
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer.lower()
    assert b'"code":"too_large"' in answer


def test_an_announced_body_over_the_limit_is_refused_before_it_is_sent(server: Server) -> None:
    head = "POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 11000000\r\n\r\n"
    with server.connect() as connection:
        connection.sendall(head.encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_the_metrics_of_both_workers_are_one(server: Server) -> None:
    name = 'tandem_requests_total{route="/v1/models",status="200"}'
    before = samples(httpx.get(f"{server.url}/metrics").text).get(name, 0)
    for _ in range(20):
        httpx.get(f"{server.url}/v1/models")
    assert samples(httpx.get(f"{server.url}/metrics").text)[name] == before + 20


def test_random_paths_add_no_series(server: Server) -> None:
    httpx.get(f"{server.url}/random/first")
    before = set(samples(httpx.get(f"{server.url}/metrics").text))
    for number in range(20):
        problem(httpx.get(f"{server.url}/random/{number}"), 404, "not_found")
    assert set(samples(httpx.get(f"{server.url}/metrics").text)) == before


def test_probes_answer(server: Server) -> None:
    assert httpx.get(f"{server.url}/livez").status_code == 200
    assert httpx.get(f"{server.url}/readyz").status_code == 200


@needs_none
def test_the_server_says_once_where_it_serves(server: Server) -> None:
    assert server.log_text().count("device auto: serving on CPU") == 1
