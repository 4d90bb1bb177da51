"""What people call the service with: each client gets the right answers, and the reason for a wrong image."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import bentoml
import httpx
import pytest
import requests
import urllib3

from tests.chaos.rig.servers import Server, serving
from tests.tiny_bundle import GREYS, solid_image

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # BentoML's client leaves its own connections open
]
PROGRAMS = Path(__file__).with_name("programs")
PNG = {"content-type": "image/png"}
IMAGE = solid_image(GREYS["mid"])
INSTANCE = {"image": base64.b64encode(IMAGE).decode()}
BAD = b"no image"


@pytest.fixture(scope="module")
def server(tiny_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("clients"), tiny_path, workers=1, allow_origins="https://shop.example") as it:
        yield it


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("image") / "mid.png"
    file.write_bytes(IMAGE)
    return file


def run(*command: str, folder: Path | None = None) -> str:
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    environment = {**os.environ, "GOCACHE": str(folder), "HOME": str(folder)} if folder else None
    found = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
    assert found.returncode == 0, found.stderr
    return found.stdout


def check_lines(text: str, good: int) -> None:
    """Lines of status and body: good ones, then one that is refused."""
    answers = [line.split(" ", 1) for line in text.splitlines()]
    assert [status for status, _ in answers] == ["200"] * good + ["415"]
    assert {json.loads(body)["label"] for _, body in answers[:good]} == {"mid"}
    assert json.loads(answers[-1][1])["code"] == "unsupported_type"


@pytest.mark.parametrize("version", ["--http1.1", "--http1.0", "--http2"])
def test_curl(server: Server, image: Path, version: str) -> None:
    send = ("--data-binary", f"@{image}", "-H", "content-type: image/png")
    assert json.loads(run("curl", "-s", version, *send, f"{server.url}/v1/predict"))["label"] == "mid"
    form = ("-F", f"image=@{image}", "-F", f"file=@{image}")
    found = json.loads(run("curl", "-s", version, *form, f"{server.url}/v1/predict"))
    assert [each["label"] for each in found["predictions"]] == ["mid", "mid"]
    large = ("-H", "expect: 100-continue", *send)
    assert json.loads(run("curl", "-s", version, *large, f"{server.url}/v1/predict"))["label"] == "mid"


def test_requests(server: Server) -> None:
    with requests.Session() as session:
        for _ in range(3):
            assert session.post(f"{server.url}/v1/predict", data=IMAGE, headers=PNG).json()["label"] == "mid"
        assert session.post(f"{server.url}/v1/predict", data=BAD, headers=PNG).status_code == 415
        files = [("image", ("a.png", IMAGE, "image/png"))] * 2
        answer = session.post(f"{server.url}/v1/predict", files=files).json()
        assert len(answer["predictions"]) == 2


@pytest.mark.parametrize("body", [IMAGE, [IMAGE[:10], IMAGE[10:]]], ids=["whole", "in chunks"])
def test_httpx(server: Server, body: bytes | list[bytes]) -> None:
    with httpx.Client(trust_env=False) as client:
        for _ in range(3):
            content = body if isinstance(body, bytes) else iter(body)
            assert client.post(f"{server.url}/v1/predict", content=content, headers=PNG).json()["label"] == "mid"
        assert client.post(f"{server.url}/v1/predict", content=BAD, headers=PNG).status_code == 415


def test_aiohttp(server: Server) -> None:
    async def ask() -> None:
        async with aiohttp.ClientSession() as session:

            async def one(body: bytes) -> tuple[int, dict[str, object]]:
                async with session.post(f"{server.url}/v1/predict", data=body, headers=PNG) as response:
                    return response.status, await response.json(content_type=None)

            found = await asyncio.gather(*(one(IMAGE) for _ in range(20)), one(BAD))
            assert [status for status, _ in found] == [200] * 20 + [415]
            assert {answer["label"] for _, answer in found[:20]} == {"mid"}

    asyncio.run(ask())


def test_urllib3(server: Server) -> None:
    with urllib3.PoolManager() as pool:
        for _ in range(3):
            found = pool.request("POST", f"{server.url}/v1/predict", body=IMAGE, headers=PNG)
            assert found.json()["label"] == "mid"
        assert pool.request("POST", f"{server.url}/v1/predict", body=BAD, headers=PNG).status == 415


def test_bentoml_sync(server: Server) -> None:
    with bentoml.SyncHTTPClient(server.url) as client:
        found = client.predict(instances=[INSTANCE, INSTANCE])
        assert [each["label"] for each in found["predictions"]] == ["mid", "mid"]


def test_bentoml_async(server: Server) -> None:
    async def ask() -> None:
        async with bentoml.AsyncHTTPClient(server.url) as client:
            found = await client.predict(instances=[INSTANCE])
            assert [each["label"] for each in found["predictions"]] == ["mid"]

    asyncio.run(ask())


def test_java(server: Server, image: Path) -> None:
    check_lines(run("java", str(PROGRAMS / "HttpClientProgram.java"), server.url, str(image)), good=2)


def test_go(server: Server, image: Path, tmp_path: Path) -> None:
    check_lines(run("go", "run", str(PROGRAMS / "client.go"), server.url, str(image), folder=tmp_path), good=2)


def test_wrk(server: Server, image: Path, tmp_path: Path) -> None:
    script = tmp_path / "post.lua"
    read = f'wrk.body = io.open("{image}", "rb"):read("*a")'
    script.write_text('wrk.method = "POST"\nwrk.headers["Content-Type"] = "image/png"\n' + read)
    text = run("wrk", "-t1", "-c8", "-d2s", "-s", str(script), f"{server.url}/v1/predict")
    assert "Requests/sec" in text
    assert "Non-2xx" not in text
    assert "Socket errors" not in text


@pytest.mark.parametrize("keep", [["-k"], []], ids=["kept connections", "a connection a request"])
def test_ab(server: Server, image: Path, keep: list[str]) -> None:
    arguments = [*keep, "-q", "-n", "500", "-c", "8", "-p", str(image), "-T", "image/png"]
    text = run("ab", *arguments, f"{server.url}/v1/predict")
    assert "Failed requests:        0" in text
    assert "Non-2xx" not in text
    if keep:  # HTTP/1.0 with `Connection: keep-alive`
        assert "Keep-Alive requests:    500" in text


def test_a_page_in_chromium(server: Server, image: Path, tmp_path: Path) -> None:
    """A page of the server itself asks: with `fetch`, as the API reference does."""
    page = tmp_path / "page.html"
    encoded = base64.b64encode(IMAGE).decode()
    page.write_text(
        f"""<script>
        const bytes = Uint8Array.from(atob("{encoded}"), (c) => c.charCodeAt(0));
        fetch("{server.url}/v1/predict", {{method: "POST", body: new Blob([bytes], {{type: "image/png"}})}})
          .then((r) => r.json())
          .then((a) => document.body.append("label " + a.label), () => document.body.append("refused"));
        </script><body></body>"""
    )
    chromium = ("chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}")
    text = run(*chromium, "--virtual-time-budget=10000", "--dump-dom", page.as_uri())
    assert "refused" in text  # a page of a file has the origin `null`, which is not allowed
    own = run(*chromium, "--virtual-time-budget=10000", "--dump-dom", f"{server.url}/docs")
    assert "Decide on one or several images" in own
