"""Which route a path takes."""

from __future__ import annotations

import pytest

from service.gateway.router import Router
from service.gateway.transaction import Transaction
from service.messages import OTHER, Request, Response


def handler(_: Transaction) -> Response:
    raise AssertionError


ROUTES = {path: {"GET": handler} for path in ("/a", "/m/{model}", "/m/{model}/versions/{version}", "/m/stats")}


@pytest.mark.parametrize(
    ("path", "route", "parameters"),
    [
        pytest.param("/a", "/a", {}, id="a path of its own"),
        pytest.param("/m/x.y-1", "/m/{model}", {"model": "x.y-1"}, id="a parameter"),
        pytest.param(
            "/m/x/versions/8",
            "/m/{model}/versions/{version}",
            {"model": "x", "version": "8"},
            id="two parameters",
        ),
        pytest.param("/m/stats", "/m/stats", {}, id="a path of its own goes before a parameter"),
        pytest.param("/m/{model}", "/m/{model}", {"model": "{model}"}, id="a route's own text is a parameter"),
        pytest.param("/b", OTHER, {}, id="no route"),
        pytest.param("/m/x/", OTHER, {}, id="a slash more"),
        pytest.param("/m/", OTHER, {}, id="an empty parameter"),
        pytest.param("/m/x/versions/8/9", OTHER, {}, id="a part more"),
    ],
)
def test_a_path_takes_the_route_that_has_it(path: str, route: str, parameters: dict[str, str]) -> None:
    request = Request("GET", path, b"", {})
    methods = Router(ROUTES).find(request)
    assert (request.route, dict(request.parameters)) == (route, parameters)
    assert methods == ROUTES.get(route)


def test_only_a_path_without_parameters_can_be_asked_for_by_itself() -> None:
    router = Router(ROUTES)
    assert [router.has(path) for path in ("/a", "/m/{model}", "/m/x", "/b")] == [True, False, False, False]
