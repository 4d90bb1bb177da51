"""The pages become a site, strictly, that loads nothing from other servers; the README is short."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import markdown
import pytest

from tests.docs.pages import CONTRIBUTING, PAGES, README, ROOT

MOST_WORDS = 900
LOADED = {"img": "src", "link": "href", "script": "src", "iframe": "src", "source": "src"}


class Reader(HTMLParser):
    """Collects the text of a page, and what a browser loads with it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.loaded: list[str] = []
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get(LOADED.get(tag, ""))
        if address is not None and dict(attrs).get("rel") != "canonical":
            self.loaded.append(address)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(
        command,
        check=False,
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_a_page_of_the_site_loads_nothing_from_another_server(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 15
    loaded = {address for page in pages for address in Reader(page.read_text()).loaded}
    assert loaded
    assert not [address for address in loaded if re.match(r"(?:[a-z]+:)?//", address)]


def test_a_style_of_the_site_loads_nothing_from_another_server(site: Path) -> None:
    styles = "".join(style.read_text() for style in site.rglob("*.css"))
    assert styles
    assert not re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", styles)


def test_the_readme_has_at_most_900_words() -> None:
    page = markdown.markdown(README.read_text(), extensions=["tables", "fenced_code"])
    assert len(" ".join(Reader(page).texts).split()) <= MOST_WORDS


@pytest.mark.parametrize(
    "link",
    sorted(
        {link for file in (README, CONTRIBUTING) for link in re.findall(r"\]\((?!https?:)([^)#]+)", file.read_text())}
    ),
)
def test_a_link_leads_to_a_file(link: str) -> None:
    assert (ROOT / link).is_file()


def test_contributing_answers_twenty_questions_with_a_file_each() -> None:
    table = PAGES["CONTRIBUTING.md"].partition("## Twenty questions")[2].partition("\n## ")[0]
    assert len(re.findall(r"^\| [^|]+\? \| `[\w/]+\.py` \|$", table, re.MULTILINE)) == 20


def test_every_room_of_contributing_is_a_folder() -> None:
    table = PAGES["CONTRIBUTING.md"].partition("## Rooms")[2].partition("\n## ")[0]
    rooms = set(re.findall(r"^\| `([\w/]+)` \|", table, re.MULTILINE))
    folders = {
        str(folder.parent.relative_to(ROOT))
        for room in ("feedback", "loadtests", "models", "scoring", "service", "training")
        for folder in (ROOT / room).glob("*/__init__.py")
    }
    assert rooms - {"tools"} <= folders
    assert folders <= rooms
