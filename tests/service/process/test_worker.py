"""One worker's parts: built, loaded, started, stopped."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from models.errors import TandemError
from service import coordination
from service.messages import Request, Response
from service.observability.service_metrics import exposition
from service.process import worker as module
from service.process.worker import Worker
from tests.service.serving import BRIGHT, settings_of

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _own(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves the log, the allocator and the collector of the tests' process as they are."""
    for name in ("configure_logging", "return_large_blocks", "quieten_collector"):
        monkeypatch.setattr(module, name, lambda *_: None)


async def page(scope: Scope, receive: Receive, send: Send) -> None:
    """The application behind our routes."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


async def ask(worker: Worker, method: str, path: str, body: bytes = b"") -> Response:
    answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    headers = {b"content-type": b"image/png", b"host": b"x"}
    transaction = worker.gateway.open(Request(method, path, b"", headers), answered.set_result)
    worker.gateway.receive(transaction.request, len(body))
    worker.gateway.handle(transaction, body)
    return await answered


def test_a_worker_answers_from_its_start_to_its_stop(tiny_path: Path) -> None:
    async def test() -> None:
        worker = Worker.of(settings_of(tiny_path, access_log=False))
        worker.mount(page)
        worker.load()
        assert not worker.pipeline.ready
        await worker.start()
        try:
            assert (await ask(worker, "GET", "/readyz")).status == 200
            assert (await ask(worker, "POST", "/v1/predict", BRIGHT)).model == "tiny@1"
            assert (await ask(worker, "GET", "/page")).body == b"/page"
            worker.lifecycle.draining = True
            assert (await ask(worker, "GET", "/readyz")).status == 503
            assert (await ask(worker, "POST", "/v1/predict", BRIGHT)).status == 200
            assert b"tandem_requests_in_flight 0.0" in exposition()
            assert b"tandem_connections 0.0" in exposition()
            assert (worker.lifecycle.in_flight, worker.admission.bytes) == (0, 0)
        finally:
            await worker.stop()
        assert not worker.pipeline.ready
        assert b"tandem_ready" not in exposition()

    asyncio.run(test())


def test_before_it_is_loaded_and_started_there_is_nothing_to_answer_with(tiny_path: Path) -> None:
    worker = Worker.of(settings_of(tiny_path))
    for part in ("gateway", "pipeline"):
        with pytest.raises(AssertionError):
            getattr(worker, part)


def test_a_bundle_that_cannot_be_loaded_is_told_to_the_supervisor(tmp_path: Path) -> None:
    worker = Worker.of(settings_of(tmp_path / "nowhere"))
    with pytest.raises(TandemError) as raised:
        worker.load()
    assert worker.lines is not None
    worker.lines.close()
    assert coordination.forget_worker(os.getpid()) == (False, str(raised.value))
    assert "nowhere" in str(raised.value)


def test_a_module_of_the_service_is_imported_without_bentoml_and_without_reading_the_environment() -> None:
    program = (
        "import sys, service.process.worker, service.http.server, service.http.asgi\n"
        "sys.exit('bentoml' in sys.modules or 'service.app' in sys.modules)"
    )
    environment = {**os.environ, "TANDEM_WORKERS": "two"}
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, check=False).returncode == 0
