"""`HybridService` as BentoML runs it: in this process, and as a real server."""

from __future__ import annotations

import asyncio
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
import uvicorn

import service
import service.process.worker
from models.bundle.loading import Bundle
from models.imaging.decode import decode
from service.api.openapi import describe
from tests.chaos.rig.servers import Server, serving
from tests.models.devices.test_placement import needs_none
from tests.service.api.test_openapi import check
from tests.service.api.test_routes import labels, noise
from tests.service.observability.test_service_metrics import samples
from tests.service.serving import BRIGHT, DARK, MID, PNG, TEXT, form, instance, post_instances, problem
from tests.tiny_bundle import CLASSES

LIMIT_BYTES = 5_000_000


# ---------------------------------------------------------------- in this process


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Has the service built anew from the environment, which a test may change; logging stays the test's."""
    monkeypatch.setattr(service.process.worker, "configure_logging", lambda _: None)
    monkeypatch.setenv("TANDEM_DEVICE", "cpu")
    monkeypatch.setenv("TANDEM_WORKERS", "1")
    monkeypatch.setenv("TANDEM_ACCESS_LOG", "0")
    service._build.cache_clear()
    yield monkeypatch
    service._build.cache_clear()


@contextlib.asynccontextmanager
async def in_process(path: Path, built: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """A client of BentoML's whole application, its start-up and shut-down included."""
    built.setenv("TANDEM_BUNDLE", str(path))
    application = service.HybridService.to_asgi()
    config = uvicorn.Config(application, lifespan="on", log_config=None)
    config.load()
    lifespan = config.lifespan_class(config)
    await lifespan.startup()
    assert not lifespan.should_exit
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://tandem") as client:
            yield client
    finally:
        await lifespan.shutdown()


def ask(path: Path, built: pytest.MonkeyPatch, method: str, url: str, **request: Any) -> httpx.Response:
    async def one() -> httpx.Response:
        async with in_process(path, built) as client:
            return await client.request(method, url, **request)

    return asyncio.run(one())


def test_the_package_has_the_service_and_nothing_else(built: pytest.MonkeyPatch, tiny_path: Path) -> None:
    built.setenv("TANDEM_BUNDLE", str(tiny_path))
    assert service.HybridService is service.HybridService
    with pytest.raises(AttributeError, match="no attribute 'Hybrid'"):
        service.Hybrid  # noqa: B018


def test_a_wrong_setting_stops_the_start_with_its_name_and_value(built: pytest.MonkeyPatch) -> None:
    built.setenv("TANDEM_MAX_BATCH", "many")
    with pytest.raises(SystemExit, match="tandem cannot start: TANDEM_MAX_BATCH='many': "):
        service.HybridService  # noqa: B018


def test_bentomls_application_answers_by_our_gateway(tiny_path: Path, built: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with in_process(tiny_path, built) as client:
            body = {"instances": [instance(noise(1)), instance(TEXT), instance(noise(2))]}
            native = await client.post("/predict", json=body)
            assert labels(native)[1] == "unsupported_type"
            assert native.json() == (await client.post("/v1/predict", json=body)).json()
            description = (await client.get("/docs.json")).json()
            assert description == describe(Bundle.open(tiny_path).manifest)
            check(description, native, "/predict")
            problem(await client.post("/predict", **form([MID])), 415, "unsupported_type")
            assert (await client.get("/readyz")).status_code == 200

    asyncio.run(test())


def test_columns_reach_bentomls_route(priced_path: Path, built: pytest.MonkeyPatch) -> None:
    rows = [{"shift": 0}, {"shift": 0, "force": "bright"}, {}]
    body = {"instances": [instance(DARK, row) for row in rows]}
    assert labels(ask(priced_path, built, "POST", "/predict", json=body)) == ["dark", "bright", "bad_columns"]


def test_bentomls_own_files_are_served_and_what_it_does_not_have_is_a_problem(
    tiny_path: Path, built: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        async with in_process(tiny_path, built) as client:
            for path, content_type in {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}.items():
                file = await client.get(f"/static_content/{path}")  # which the page of the API reference loads
                assert file.headers["content-type"].startswith(content_type)
                assert file.headers["x-request-id"]
            problem(await client.get("/nope"), 404, "not_found")
            refused = await client.get("/predict")
            problem(refused, 405, "method_not_allowed")
            assert refused.headers["allow"] == "POST"

    asyncio.run(test())


def test_the_service_checks_before_its_workers_start(tiny_path: Path, built: pytest.MonkeyPatch) -> None:
    built.setenv("TANDEM_BUNDLE", str(tiny_path))
    built.setenv("TANDEM_PRECISION", "int8")
    with pytest.raises(SystemExit):
        service.HybridService.inner.check()


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
