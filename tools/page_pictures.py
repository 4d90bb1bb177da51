"""a server of the washers bundle ──▶ pictures of its pages, to be looked at, and small ones for the docs.

    export TANDEM_FEEDBACK_URL=sqlite:///build/record.sqlite TANDEM_FEEDBACK_IMAGES=build/recorded
    TANDEM_BUNDLE=build/store/washers make serve
    .venv/bin/python -m tools.page_pictures http://127.0.0.1:3000

The bundle is the one of `docs/guide/own-photos.md`, trained with `--thumbnails`. What the pages `review` and `monitor`
show is what the server has recorded and `python -m feedback watch` has measured; those in the docs are of 5,700 test
images of Fashion-MNIST, the last 600 inverted, and of 210 answers, a random class in 3 of 100. All pictures are in
`build/screenshots/`, those of the docs in `docs/images/`, too.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

WASHER = Path("build/washers/photos/003.jpg")
SNEAKER = Path("docs/examples/sneaker.png")
DAMAGED = Path("docs/examples/damaged.png")
COLOURS = 256
"""Of a picture of the docs, which must be small."""


@dataclass(frozen=True)
class Scene:
    """One picture.

    Attributes:
        name: of its file.
        path: of the page.
        width: in pixels of CSS; 360 is a phone.
        scheme: of colours.
        photo: that is sent; None for a page as it opens.
        weight_g: column of the request.
        heads: that decide beside the first one.
        height: in pixels of CSS; None for the whole page.
    """

    name: str
    path: str = "playground"
    width: int = 1280
    scheme: Literal["light", "dark"] = "light"
    photo: Path | None = WASHER
    weight_g: str = "12.5"
    heads: tuple[str, ...] = ("price",)
    height: int | None = None


DOCS = (
    Scene("playground", width=1100, heads=(), height=1090),
    Scene("playground-review", scheme="dark", width=1100, heads=(), height=1090, photo=SNEAKER, weight_g="120.5"),
    Scene("review", path="review", photo=None, width=1100, height=900),
    Scene("monitor", path="monitor", photo=None, width=1100),
)
SCENES = (
    *DOCS,
    Scene("empty", photo=None),
    Scene("light"),
    Scene("dark", scheme="dark"),
    Scene("error", photo=DAMAGED),
    Scene("phone-light", width=360),
    Scene("phone-dark", width=360, scheme="dark"),
    Scene("review-phone-dark", path="review", photo=None, width=360, scheme="dark"),
    Scene("monitor-phone-dark", path="monitor", photo=None, width=360, scheme="dark"),
    Scene("start", path="", photo=None),
    Scene("start-phone-dark", path="", photo=None, width=360, scheme="dark"),
    Scene("docs", path="docs", photo=None),
)


def main(arguments: Sequence[str]) -> int:
    """Writes all pictures."""
    parser = argparse.ArgumentParser(prog="python -m tools.page_pictures", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("url", help="of the server")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="the browser (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("build/screenshots"), help="folder (default: %(default)s)")
    parser.add_argument(
        "--docs", type=Path, default=Path("docs/images"), help="of those of the docs (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=["--no-sandbox"])
        for scene in SCENES:
            picture = take(browser, options.url, scene)
            (options.out / f"{scene.name}.png").write_bytes(picture)
            if scene in DOCS:
                image = Image.open(io.BytesIO(picture)).convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE)
                image.save(options.docs / f"{scene.name}.png", optimize=True)
        browser.close()
    print(f"wrote {len(SCENES)} pictures to {options.out} and {len(DOCS)} to {options.docs}")
    return 0


def take(browser: Browser, url: str, scene: Scene) -> bytes:
    """The picture of a scene, as PNG."""
    size = {"width": scene.width, "height": scene.height or 800}
    page = browser.new_page(viewport=size, color_scheme=scene.scheme)  # type: ignore[arg-type]
    page.goto(f"{url}/{scene.path}", wait_until="networkidle")
    if scene.path == "docs":
        page.locator(".opblock").first.wait_for()
    if scene.photo is not None:
        _ask(page, scene, scene.photo)
    picture = page.screenshot(full_page=scene.height is None)
    page.close()
    return picture


def _ask(page: Page, scene: Scene, photo: Path) -> None:
    for head in scene.heads:
        page.get_by_label(head).check()
    page.get_by_label("weight_g").fill(scene.weight_g)
    page.get_by_label("supplier").fill("north")
    page.get_by_label("supplier").blur()
    page.set_input_files("#file", photo)
    page.locator("#result .card").first.wait_for()
    page.evaluate("scrollTo(0, 0)")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
