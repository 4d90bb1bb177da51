"""Pages of other origins, over both transports: who may ask, what preflight says, what an answer lets a page read."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from service.gateway.api_keys import ApiKeys
from tests.service.gateway.test_gateway import PREDICT, fine
from tests.service.serving import HOST_NAME, Site, ask_gateway, problem

SHOP = "https://shop.example"
OWN = f"http://{HOST_NAME}"
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}


def ask(origin: str, allowed: str = "", method: str = "POST", path: str = PREDICT, **headers: str) -> httpx.Response:
    headers = {"origin": origin, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return ask_gateway(fine, method, path, site=Site(allow_origins=allowed), headers=headers)


def allows(response: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name.startswith("access-control-")}


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (SHOP, ""),
        (SHOP, "https://other.example"),
        (SHOP, "http://shop.example"),
        (SHOP, "https://shop.example:8443"),
        ("https://shop.example.evil", SHOP),
        ("https://evil-shop.example", SHOP),
        ("null", ""),
        ("", ""),
        (f"http://{HOST_NAME}:8080", ""),
        (f"http://{HOST_NAME}.evil", ""),
        (HOST_NAME, ""),
    ],
)
def test_a_page_of_a_foreign_origin_is_403_and_reads_nothing(origin: str, allowed: str) -> None:
    response = ask(origin, allowed)
    detail = problem(response, 403, "forbidden")
    assert detail == f"pages of {origin!r} may not ask; TANDEM_ALLOW_ORIGINS names those that may"
    assert allows(response) == {}


def test_a_simple_form_of_a_foreign_page_is_refused_before_it_is_looked_at() -> None:
    seen: list[object] = []

    def note(transaction: object) -> None:
        seen.append(transaction)

    site = Site()
    files = {"image": ("a.png", b"bytes", "image/png")}
    response = ask_gateway(note, "POST", PREDICT, site=site, headers={"origin": SHOP}, files=files)
    problem(response, 403, "forbidden")
    assert seen == []


@pytest.mark.parametrize("origin", [OWN, f"https://{HOST_NAME}", f"http://{HOST_NAME.upper()}"])
def test_the_servers_own_pages_are_answered_and_need_no_headers(origin: str) -> None:
    response = ask(origin)
    assert response.content == b"fine"
    assert allows(response) == {}


@pytest.mark.parametrize(
    ("site", "status"), [("same-origin", 200), ("same-site", 403), ("cross-site", 403), ("none", 403)]
)
def test_behind_a_proxy_that_changes_the_host_the_browser_says_whose_page_asks(site: str, status: int) -> None:
    assert ask(SHOP, sec_fetch_site=site).status_code == status


@pytest.mark.parametrize("allowed", [SHOP, f"https://a.example, {SHOP}", "*"])
def test_a_page_of_an_allowed_origin_is_answered_and_may_read_the_answer(allowed: str) -> None:
    response = ask(SHOP, allowed)
    assert response.content == b"fine"
    assert response.headers["access-control-allow-origin"] == SHOP
    assert "x-request-id" in response.headers["access-control-expose-headers"]
    assert response.headers["vary"] == "origin"


def test_a_page_may_read_why_it_was_refused() -> None:
    response = ask(SHOP, SHOP, "PUT")
    problem(response, 405, "method_not_allowed")
    assert response.headers["access-control-allow-origin"] == SHOP


def test_preflight_of_an_allowed_origin_is_204_and_names_what_it_may_send() -> None:
    response = ask(SHOP, SHOP, "OPTIONS", **PREFLIGHT)
    assert (response.status_code, response.content) == (204, b"")
    assert "content-length" not in response.headers
    assert allows(response) == {
        "access-control-allow-origin": SHOP,
        "access-control-allow-methods": "POST",
        "access-control-allow-headers": "authorization, content-type, x-request-id, x-request-timeout-ms",
        "access-control-max-age": "600",
        "access-control-expose-headers": response.headers["access-control-expose-headers"],
    }


def test_preflight_of_a_foreign_origin_is_403() -> None:
    response = ask(SHOP, "", "OPTIONS", **PREFLIGHT)
    problem(response, 403, "forbidden")
    assert allows(response) == {}


def test_preflight_needs_no_api_key(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("# nobody\n")
    site = Site(keys=ApiKeys.open(tmp_path / "keys"), allow_origins=SHOP)
    headers = {"origin": SHOP, **PREFLIGHT}
    assert ask_gateway(fine, "OPTIONS", PREDICT, site=site, headers=headers).status_code == 204
    problem(ask_gateway(fine, "POST", PREDICT, site=site, headers={"origin": SHOP}), 401, "unauthorized")


def test_options_without_preflight_is_a_method_as_any_other() -> None:
    problem(ask(SHOP, SHOP, "OPTIONS"), 405, "method_not_allowed")
