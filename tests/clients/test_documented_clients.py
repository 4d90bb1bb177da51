"""The programs of `docs/clients.md`, as its reader runs them: answers, errors, keys, waits and broken connections."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import http.server
import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from models.errors import DeadlineExceeded, Overloaded
from service.gateway.transaction import Transaction
from service.messages import Request, Response
from tests.chaos.rig.servers import HOST, Server, free_port, serving
from tests.service.rig.callers import run
from tests.service.rig.sites import Site, listening
from tests.tiny_bundle import COLUMNS, GREYS, solid_image, tiny_bundle

pytestmark = pytest.mark.slow

PROGRAMS = Path(__file__).parents[2] / "docs" / "examples" / "clients"
COMMANDS = {
    "curl": ("sh", PROGRAMS / "predict.sh"),
    "Python": (sys.executable, PROGRAMS / "predict_httpx.py"),
    "Node": ("node", PROGRAMS / "predict.mjs"),
}
KEY = "secret"
ANSWER = b'{"label":"mid"}'
each = pytest.mark.parametrize("language", COMMANDS)


def ask(language: str, url: str, *images: Path, key: str | None = None) -> subprocess.CompletedProcess[str]:
    program = COMMANDS[language]
    if not shutil.which(program[0]) or not shutil.which("curl"):
        pytest.skip(f"{language} is not installed")
    environment = {name: value for name, value in os.environ.items() if name != "API_KEY"} | {"SERVER_URL": url}
    if key is not None:
        environment["API_KEY"] = key
    return subprocess.run(
        [*map(str, (*program, *images))], capture_output=True, text=True, timeout=60, env=environment, check=False
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that asks for a key; pages of any origin may ask it."""
    folder = tmp_path_factory.mktemp("clients")
    (folder / "keys").write_text(f"robot sha256:{hashlib.sha256(KEY.encode()).hexdigest()}\n")
    bundle = tiny_bundle(folder / "store", heads={"shade": (), "priced": COLUMNS})
    with serving(folder, bundle, workers=1, api_keys_file=folder / "keys") as started:
        yield started


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("image") / "mid.png"
    file.write_bytes(solid_image(GREYS["mid"]))
    return file


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("text") / "notes.txt"
    file.write_text("no image")
    return file


@each
def test_an_image_is_answered(server: Server, language: str, image: Path) -> None:
    done = ask(language, server.url, image, key=KEY)
    assert json.loads(done.stdout.removeprefix(f"{image} "))["label"] == "mid", done


@each
def test_the_reason_of_an_error_is_shown(server: Server, language: str, text: Path) -> None:
    done = ask(language, server.url, text, key=KEY)
    assert "unsupported_type" in done.stdout + done.stderr
    assert "the first bytes are b'no image'" in done.stdout + done.stderr


@each
def test_a_missing_key_is_told(server: Server, language: str, image: Path) -> None:
    done = ask(language, server.url, image)
    assert "unauthorized" in done.stdout + done.stderr


@pytest.mark.parametrize("language", ["Python", "Node"])
def test_one_bad_image_of_several_is_told_and_the_others_are_answered(
    server: Server, language: str, image: Path, text: Path
) -> None:
    done = ask(language, server.url, image, text, image, key=KEY)
    assert done.stdout.count('"label": "mid"' if language == "Python" else '"label":"mid"') == 2
    assert done.stderr.startswith(f"{text} unsupported_type: ")


def test_columns_are_sent_with_the_image(server: Server, image: Path) -> None:
    python = (
        "from predict_httpx import Tandem; import sys; "
        "tandem = Tandem(sys.argv[1], sys.argv[2]); image = open(sys.argv[3], 'rb').read(); "
        "print(tandem.predict(image, {'shift': 0, 'force': 'bright'}, heads='priced')['label'])"
    )
    javascript = (
        'import { predict } from "./tandem.mjs"; import { readFileSync } from "node:fs"; '
        "const [url, key, file] = process.argv.slice(1); "
        'const options = { columns: { shift: 0, force: "bright" }, query: { heads: "priced" }, key }; '
        "console.log((await predict(url, new Blob([readFileSync(file)]), options)).label);"
    )
    for command in ([sys.executable, "-c", python], ["node", "--input-type=module", "-e", javascript]):
        arguments = [*command, server.url, KEY, str(image)]
        done = subprocess.run(arguments, cwd=PROGRAMS, capture_output=True, text=True, timeout=60, check=False)
        assert done.stdout == "bright\n", done


# ---------------------------------------------------------------- what is sent again


class Moody:
    """A handler that fails its first requests, and answers the next ones."""

    def __init__(self, *failures: Exception | None) -> None:
        self.failures = list(failures)
        self.asked: list[tuple[float, Request]] = []
        self.site: Site | None = None

    def __call__(self, transaction: Transaction) -> Response:
        self.asked.append((time.monotonic(), transaction.request))
        if not self.failures:
            return Response(200, ANSWER)
        failure = self.failures.pop(0)
        if failure is None:  # the connection breaks, as it does when a worker dies
            assert self.site is not None
            self.site.protocol.abort()
            return Response(200)
        raise failure

    @property
    def waits_s(self) -> list[float]:
        """Between one request and the next."""
        times = [moment for moment, _ in self.asked]
        return [after - before for before, after in itertools.pairwise(times)]


def ask_moody(moody: Moody, language: str, image: Path) -> subprocess.CompletedProcess[str]:
    async def asked() -> subprocess.CompletedProcess[str]:
        async with listening(moody) as site:
            moody.site = site
            return await asyncio.to_thread(ask, language, f"http://{HOST}:{site.port}", image)

    found: list[subprocess.CompletedProcess[str]] = []

    async def test() -> None:
        found.append(await asked())

    run(test())
    return found[0]


@each
def test_a_refused_request_comes_back_as_late_as_it_is_told(language: str, image: Path) -> None:
    moody = Moody(Overloaded("full", retry_after_s=2))
    done = ask_moody(moody, language, image)
    assert "mid" in done.stdout, done
    (wait_s,) = moody.waits_s
    assert 2 <= wait_s < 4


@pytest.mark.parametrize("language", ["Python", "Node"])
def test_a_request_whose_connection_broke_is_sent_again(language: str, image: Path) -> None:
    moody = Moody(None, None)
    assert "mid" in ask_moody(moody, language, image).stdout
    assert len(moody.asked) == 3
    deadlines = [int(request.headers[b"x-request-timeout-ms"]) for _, request in moody.asked]
    assert deadlines == sorted(deadlines, reverse=True)
    assert deadlines[-1] < deadlines[0] <= 10_000


@pytest.mark.parametrize("language", ["Python", "Node"])
def test_what_came_too_late_is_not_sent_again(language: str, image: Path) -> None:
    moody = Moody(DeadlineExceeded("too late"))
    assert "deadline_exceeded: too late" in ask_moody(moody, language, image).stderr
    assert len(moody.asked) == 1


@pytest.mark.parametrize("language", ["Python", "Node"])
def test_a_wait_beyond_the_deadline_is_not_waited_for(language: str, image: Path) -> None:
    moody = Moody(Overloaded("full", retry_after_s=60))
    began = time.monotonic()
    assert "overloaded: full" in ask_moody(moody, language, image).stderr
    assert time.monotonic() - began < 10
    assert len(moody.asked) == 1


@each
def test_a_server_that_is_not_there_is_an_error_in_time(language: str, image: Path) -> None:
    began = time.monotonic()
    done = ask(language, f"http://{HOST}:{free_port()}", image)
    assert done.returncode != 0
    assert done.stderr
    assert time.monotonic() - began < 20


# ---------------------------------------------------------------- a page


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    extensions_map = {".mjs": "text/javascript", ".html": "text/html"}  # noqa: RUF012 (as the base class has it)

    def log_message(self, *_: object) -> None:
        pass


def test_a_page_of_an_allowed_origin_is_answered(tiny_path: Path, tmp_path: Path, image: Path) -> None:
    if not (chromium := shutil.which("chromium")):
        pytest.skip("chromium is not installed")
    pages = http.server.ThreadingHTTPServer((HOST, 0), functools.partial(QuietHandler, directory=str(PROGRAMS)))
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    origin = f"http://{HOST}:{pages.server_port}"
    try:
        with serving(tmp_path, tiny_path, workers=1, allow_origins=origin) as started, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page()
            page.goto(f"{origin}/page.html?tandem={started.url}")
            page.get_by_label("Image").set_input_files(image)
            expect(page.locator("output")).to_have_text("mid: accept")
            browser.close()
    finally:
        pages.shutdown()
        pages.server_close()
