"""The pages: what they are sent with, what they load, and that they are in the package."""

from __future__ import annotations

import fnmatch
import hashlib
import re
import tomllib
from pathlib import Path

import pytest

from models.runtime.engine import Engine
from service.api.pages.static_files import PAGES, STATIC, page_routes
from service.gateway.api_keys import ApiKeys
from tests.service.serving import Site, ask, ask_gateway, problem
from tests.source_tree import ROOT

ROUTES = sorted(page_routes())
SCRIPTS = sorted(STATIC.rglob("*.js"))
HTML = sorted(STATIC.rglob("*.html"))
START = page_routes()["/"]["GET"]
FROM_BENTOML = "static_content/"


def names(files: list[Path]) -> list[str]:
    return [file.name for file in files]


@pytest.mark.parametrize("route", ROUTES)
def test_a_page_is_sent_with_a_strict_policy(engine: Engine, route: str) -> None:
    response = ask(engine, "GET", route)
    assert response.status_code == 200
    policy = dict(part.split(" ", 1) for part in response.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in response.headers["content-security-policy"]
    assert ("require-trusted-types-for" in policy) == (route != "/docs")
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("route", "content_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/playground", "text/html; charset=utf-8"),
        ("/pages/tandem.css", "text/css; charset=utf-8"),
        ("/pages/review/review.js", "text/javascript; charset=utf-8"),
        ("/pages/icon.svg", "image/svg+xml"),
    ],
)
def test_a_file_has_its_content_type(engine: Engine, route: str, content_type: str) -> None:
    assert ask(engine, "GET", route).headers["content-type"] == content_type


@pytest.mark.parametrize("route", ["/pages/", "/pages/nope.js", "/pages/playground.html", "/pages/../app.py"])
def test_nothing_else_is_served(engine: Engine, route: str) -> None:
    problem(ask(engine, "GET", route), 404, "not_found")


def test_a_page_takes_no_post(engine: Engine) -> None:
    response = ask(engine, "POST", "/playground")
    problem(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("known", ["{}", "W/{}", '"other", {}', "*"], ids=["equal", "weak", "of several", "any"])
def test_a_browser_that_has_a_file_is_not_sent_it_again(engine: Engine, known: str) -> None:
    first = ask(engine, "GET", "/playground")
    assert first.headers["cache-control"] == "no-cache"
    again = ask(engine, "GET", "/playground", headers={"if-none-match": known.format(first.headers["etag"])})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert "content-length" not in again.headers


def test_a_browser_that_has_an_older_file_is_sent_the_new_one(engine: Engine) -> None:
    assert ask(engine, "GET", "/playground", headers={"if-none-match": '"0123"'}).status_code == 200


def test_head_is_answered_without_the_body(engine: Engine) -> None:
    response = ask(engine, "HEAD", "/playground")
    assert (response.status_code, response.content) == (200, b"")
    assert int(response.headers["content-length"]) == len((STATIC / "playground.html").read_bytes())


class TestWhereKeysAreAsked:
    @pytest.fixture
    def keyed(self, tmp_path: Path) -> Site:
        file = tmp_path / "keys"
        file.write_text(f"robot sha256:{hashlib.sha256(b'secret').hexdigest()}\n")
        return Site(keys=ApiKeys.open(file))

    @pytest.mark.parametrize("route", [*ROUTES, "/static_content/swagger-ui.css"])
    def test_a_page_needs_none(self, keyed: Site, route: str) -> None:
        assert ask_gateway(START, "GET", route, site=keyed).status_code == 200

    @pytest.mark.parametrize(
        ("method", "route"),
        [("POST", "/playground"), ("GET", "/v1/models"), ("GET", "/pages"), ("GET", "/docs.json"), ("GET", "/docs/")],
    )
    def test_everything_else_needs_one(self, keyed: Site, method: str, route: str) -> None:
        problem(ask_gateway(START, method, route, site=keyed), 401, "unauthorized")


@pytest.mark.parametrize("file", HTML, ids=names(HTML))
def test_a_page_loads_only_what_is_served_and_holds_no_script_or_style_of_its_own(file: Path) -> None:
    text = file.read_text()
    loaded = re.findall(r'(?:src|<link[^>]* href)="([^"]*)"', text)
    assert loaded
    own = [address for address in loaded if not address.startswith(FROM_BENTOML)]
    assert {"/" + address for address in own} <= set(ROUTES)
    assert not re.findall(r"<style|\sstyle=|\son\w+=|<script>|<script [^>]*>[^<]", text)


@pytest.mark.parametrize("file", SCRIPTS, ids=names(SCRIPTS))
def test_a_script_imports_what_is_there_and_parses_no_html(file: Path) -> None:
    text = file.read_text()
    assert all((file.parent / name).is_file() for name in re.findall(r'from "(.+?)"', text))
    names_svg = 'const SVG = "http://www.w3.org/2000/svg";'  # a name, which nothing is loaded from
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|https?://"
    assert not re.findall(forbidden, text.replace(names_svg, ""))


def test_every_page_has_a_file_and_every_file_a_route() -> None:
    assert {STATIC / name for name in PAGES.values()} == set(HTML)
    assert len(ROUTES) == len([file for file in STATIC.rglob("*") if file.is_file()])


def test_the_files_are_in_the_package_and_the_bento() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (pattern,) = project["tool"]["setuptools"]["package-data"]["service.api.pages"]
    there = [file.relative_to(STATIC.parent).as_posix() for file in STATIC.rglob("*.*")]
    assert all(fnmatch.fnmatch(name, pattern.replace("**/", "")) for name in there)
    assert '- "/service/**"' in (ROOT / "bentofile.yaml").read_text()
    assert "COPY service service" in (ROOT / "Dockerfile").read_text()
