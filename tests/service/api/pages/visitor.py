"""What a visitor of the playground does, and what he brings."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image
from playwright.sync_api import FilePayload, Locator, Page

from tests.tiny_bundle import GREYS, solid_image

KEY = "a key with 256 random bits"
LIMIT_BYTES = 1_000_000
"""Of a request."""

OpenPage = Callable[..., Page]
"""See the fixture `open_page`."""


def png(name: str = "mid.png", grey: str = "mid") -> FilePayload:
    return {"name": name, "mimeType": "image/png", "buffer": solid_image(GREYS[grey], size=(64, 48))}


def noise(side: int) -> bytes:
    """A PNG of about `3 * side ** 2` bytes."""
    body = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)).save(body, "PNG")
    return body.getvalue()


def choose(page: Page, file: FilePayload) -> None:
    page.locator("#file").set_input_files(file)


def cards(page: Page) -> Locator:
    return page.locator("#result .card")


def code(page: Page, language: str) -> str:
    return page.get_by_label(f"{language} code").inner_text()


def enter(page: Page, key: str) -> None:
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Continue").click()
