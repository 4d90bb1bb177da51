"""`service.gateway.access`: which routes everybody may take, which any key, and which a key with a scope."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from service.gateway.access import INFERENCE, OPEN, REVIEW, is_public
from service.gateway.api_keys import ApiKeys
from service.gateway.transaction import Transaction
from service.messages import Request, Response
from service.process.keys_command import line_of, new_key
from tests.service.serving import Site

KEYS = {scope: new_key() for scope in ("predict", "review", "predict,review")}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    file = tmp_path / "keys"
    file.write_text("".join(f"{line_of(f'key-{i}', key, scope)}\n" for i, (scope, key) in enumerate(KEYS.items())))
    return Site(ApiKeys.open(file))


def answer(transaction: Transaction) -> Response:
    return Response(200, (transaction.request.key or "").encode())


@pytest.mark.parametrize(
    ("route", "scopes", "status"),
    [
        pytest.param("/v1/predict", "predict", 200, id="images, by a key for them"),
        pytest.param("/v1/predict", "predict,review", 200, id="images, by a key for both"),
        pytest.param("/v1/predict", "review", 403, id="images, by a key for reviews"),
        pytest.param("/v1/reviews", "review", 200, id="reviews, by a key for them"),
        pytest.param("/v1/reviews", "predict", 403, id="reviews, by a key for images"),
        pytest.param("/v1/models", "review", 200, id="what has no scope"),
    ],
)
def test_a_key_opens_the_routes_of_its_scopes(site: Site, route: str, scopes: str, status: int) -> None:
    gateway = site.gateway({route: {"POST": answer}})
    headers = {"authorization": f"Bearer {KEYS[scopes]}"}
    response = asyncio.run(site.ask(gateway, "POST", route, headers=headers))
    assert response.status_code == status
    if status == 403:
        assert response.json()["code"] == "forbidden"
        assert f"{route} needs an API key with the scope" in response.json()["detail"]


def test_without_a_key_pages_and_probes_are_open_and_nothing_else() -> None:
    public = {path for path in OPEN | INFERENCE | REVIEW | {"/review", "/pages/tandem.css"} if _public("GET", path)}
    assert public == OPEN | {"/review", "/pages/tandem.css"}
    assert not _public("POST", "/review")


def _public(method: str, path: str) -> bool:
    return is_public(Request(method, path, b"", {}))
