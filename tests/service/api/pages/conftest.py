"""Servers, a browser, and pages that fail a test with what the browser's console says."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from models.columns import Column
from models.policy import Policy
from tests.chaos.rig.servers import Server, serving
from tests.service.api.pages.reviewing import Recording, recording
from tests.service.api.pages.visitor import KEY, LIMIT_BYTES, OpenPage
from tests.tiny_bundle import COLUMNS, tiny_bundle

DAY = 20_000.0  # 2024-10-04
BOUGHT = Column(name="bought", type="date", required=False, low=0.0, high=DAY)
RANGED = Column(name="shift", type="number", low=-1.0, high=1.0)
KINDS = Column(name="force", type="category", required=False, categories=("dark", "bright"))

MANY = tuple(f"class {number}" for number in range(40))

CHROMIUM = shutil.which("chromium")
_CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, with a camera that films a test picture."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *_CAMERA])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Opens a page; whatever its console says by the end of the test, violations of the policy included, fails it.

    `refusals` are statuses of HTTP, or errors of the network, that the test brings about: the console tells of them.
    """
    said: list[str] = []
    contexts = []

    def opened(url: str, refusals: tuple[int | str, ...] = (), **options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)

        def note(text: str) -> None:
            is_asked = any(re.search(rf"^Failed to load resource: .*\b{refusal}\b", text) for refusal in refusals)
            said.extend([] if is_asked else [text])

        page.on("console", lambda message: note(message.text))
        page.on("pageerror", lambda error: note(str(error)))
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`shade` takes no columns, `priced` takes four kinds of columns, `level` names a number."""
    heads: dict[str, tuple[Column, ...]] = {"shade": (), "priced": (RANGED, KINDS, COLUMNS[2], BOUGHT)}
    folder = tmp_path_factory.mktemp("server")
    bundle = tiny_bundle(folder / "store", heads=heads, regressions=["level"], explained=True)
    with serving(folder, bundle, workers=1, max_body_bytes=LIMIT_BYTES) as started:
        yield started


@pytest.fixture(scope="package")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that asks for a key, with a head that reviews what is out of range."""
    folder = tmp_path_factory.mktemp("keyed")
    (folder / "keys").write_text(f"robot sha256:{hashlib.sha256(KEY.encode()).hexdigest()}\n")
    policy = Policy(min_confidence=0.5, range_columns=("shift",), expected_columns=("force",))
    path = tiny_bundle(folder / "store", name="keyed", heads={"priced": (RANGED, KINDS)}, policy=policy)
    with serving(folder, path.parent, workers=1, api_keys_file=folder / "keys") as started:
        yield started


@pytest.fixture(scope="package")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recording]:
    """A server that records. Images brighter than three fifths are unlike those of its training."""
    folder = tmp_path_factory.mktemp("recorded")
    policy = Policy(min_confidence=0.05, max_distance=0.6)
    heads = {"shade": (), "priced": COLUMNS}
    bundle = tiny_bundle(folder / "store", heads=heads, regressions=["level"], policy=policy, explained=True)
    with recording(folder, bundle, feedback_images=folder / "images") as started:
        yield started


@pytest.fixture(scope="package")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recording]:
    """A server whose leases last three seconds, with many classes; it keeps no images."""
    folder = tmp_path_factory.mktemp("hurried")
    with recording(folder, tiny_bundle(folder / "store", classes=MANY), feedback_lease_s=3) as started:
        yield started


@pytest.fixture
def waiting(recorded: Recording) -> Recording:
    """Eight decisions wait, and nothing else."""
    recorded.forget()
    recorded.decide(8)
    return recorded


@pytest.fixture
def page(open_page: OpenPage, server: Server) -> Page:
    """The playground, loaded."""
    page = open_page(f"{server.url}/playground")
    expect(page.locator("#work")).to_be_visible()
    return page
