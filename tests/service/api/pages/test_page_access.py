"""Who reaches the pages, and how: with API keys, behind a proxy, while models change."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from models.bundle.store import Store
from tests.chaos.rig.servers import HOST, Server, free_port, serving, until
from tests.service.api.pages.visitor import KEY, OpenPage, choose, code, enter, png
from tests.tiny_bundle import tiny_bundle

pytestmark = pytest.mark.slow


@contextlib.contextmanager
def tls_proxy(folder: Path, upstream: int) -> Iterator[str]:
    """nginx with a certificate of its own, which serves below a path and names the server as it likes."""
    if not shutil.which("nginx") or not shutil.which("openssl"):
        pytest.skip("nginx or openssl is not installed")
    subject = ["-subj", "/CN=localhost", "-nodes", "-days", "1", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", *subject], cwd=folder, check=True, stderr=subprocess.DEVNULL
    )
    port = free_port()
    (folder / "nginx.conf").write_text(
        f"""pid nginx.pid; error_log error.log; events {{}}
        http {{ access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
          uwsgi_temp_path uwsgi; scgi_temp_path scgi;
          server {{ listen {HOST}:{port} ssl; ssl_certificate cert.pem; ssl_certificate_key key.pem;
            location /tandem/ {{ proxy_pass http://{HOST}:{upstream}/; }} }} }}"""
    )
    command = ["nginx", "-p", str(folder), "-c", "nginx.conf", "-g", "daemon off; master_process off;"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        until((folder / "nginx.pid").is_file, 10, "nginx listens")
        yield f"https://{HOST}:{port}"
    finally:
        process.terminate()
        process.wait(10)


def test_a_key_is_asked_for_and_kept_in_this_tab_alone(open_page: OpenPage, keyed: Server) -> None:
    page = open_page(f"{keyed.url}/playground", refusals=(401,))
    expect(page.get_by_label("API key")).to_be_focused()
    expect(page.locator("#work")).to_be_hidden()
    enter(page, "wrong")
    expect(page.locator("#key-error")).to_have_text("The API key is not known here.")
    enter(page, KEY)
    expect(page.locator("#model")).to_have_text("keyed@1")
    expect(page.get_by_label("API key")).to_be_hidden()
    assert page.evaluate("[localStorage.length, document.cookie, sessionStorage.length]") == [0, "", 1]
    page.reload()
    expect(page.locator("#work")).to_be_visible()
    page.get_by_label("shift").fill("0")
    choose(page, png())
    expect(page.locator(".headline")).to_contain_text("mid")
    assert "Bearer $API_KEY" in code(page, "curl")
    assert "os.environ['API_KEY']" in code(page, "Python")
    assert KEY not in page.content()


def test_reasons_of_a_review_are_in_words(open_page: OpenPage, keyed: Server) -> None:
    page = open_page(f"{keyed.url}/playground", refusals=(401,))
    enter(page, KEY)
    page.get_by_label("shift").fill("1.5")
    expect(page.locator("#column-0-note")).to_have_text(
        "Outside the range of training: the answer will go to a person."
    )
    choose(page, png())
    expect(page.locator(".pill")).to_have_text("Review")
    expect(page.locator(".reasons li")).to_have_text(
        [
            "Training nearly always had a value for “force”.",
            "“shift” is beyond the range of the training.",
        ]
    )
    expect(page.get_by_label("Explain the answer")).to_be_disabled()
    expect(page.locator("#explain-note")).to_have_text("No explanation: the bundle has no examples for priced.")


def test_a_key_that_is_taken_away_is_asked_for_anew(open_page: OpenPage, keyed: Server) -> None:
    page = open_page(f"{keyed.url}/playground", refusals=(401,))
    enter(page, KEY)
    page.get_by_label("shift").fill("0")
    page.evaluate("sessionStorage.setItem('tandem.key', 'another one')")
    choose(page, png())
    expect(page.locator("#key-error")).to_have_text("The API key is not known here.")
    enter(page, KEY)
    page.get_by_role("button", name="Get decision").click()
    expect(page.locator(".headline")).to_contain_text("mid")


def test_the_api_reference_asks_for_the_key_and_sends_it(open_page: OpenPage, keyed: Server) -> None:
    page = open_page(f"{keyed.url}/docs", refusals=(401,))
    enter(page, KEY)
    page.get_by_text("The loaded bundle's manifest").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".live-responses-table .response-col_status").last).to_contain_text("200")


def test_the_page_works_behind_a_proxy_with_tls_that_changes_the_host(
    open_page: OpenPage, server: Server, tmp_path: Path
) -> None:
    with tls_proxy(tmp_path, server.port) as url:
        page = open_page(f"{url}/tandem/playground", ignore_https_errors=True)
        choose(page, png())
        expect(page.locator(".headline")).to_contain_text("mid")
        assert f"{url}/tandem/v1/predict" in code(page, "curl")


def test_the_page_of_a_proxy_in_the_place_of_an_answer_is_told(open_page: OpenPage, server: Server) -> None:
    page = open_page(f"{server.url}/playground")
    expect(page.locator("#work")).to_be_visible()
    page.route("**/v1/predict*", lambda route: route.fulfill(body="<title>Log in</title>", content_type="text/html"))
    choose(page, png())
    expect(page.locator(".problem")).to_contain_text(
        "The answer is not JSON: something between this page and the server"
    )


def test_a_model_that_is_promoted_meanwhile_changes_the_form(open_page: OpenPage, tmp_path: Path) -> None:
    store = tmp_path / "store"
    tiny_bundle(store)
    with serving(tmp_path, store / "tiny", workers=1) as started:
        page = open_page(f"{started.url}/playground")
        expect(page.locator("#model")).to_have_text("tiny@1")
        tiny_bundle(store, version=2, heads={"shade": (), "second": ()})
        Store(store).promote("tiny", 2)
        choose(page, png())
        expect(page.locator(".about")).to_contain_text("tiny@")
        for _ in range(100):
            page.get_by_role("button", name="Get decision").click()
            page.wait_for_timeout(100)
            if page.locator("#model").inner_text() == "tiny@2":
                break
        expect(page.get_by_label("second")).to_be_visible()


def test_the_start_page_leads_to_everything(open_page: OpenPage, server: Server) -> None:
    page = open_page(server.url)
    links = page.locator("main a").evaluate_all("all => all.map(one => one.href)")
    assert links == [
        f"{server.url}/{path}" for path in ("playground", "review", "monitor", "docs", "docs.json", "v1/models")
    ]
    assert all(server.request(link.removeprefix(server.url)).status == 200 for link in links)
