"""The description of the API: valid, whole, and true of real answers."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from models.runtime.engine import Engine
from service.api.openapi import describe
from service.api.pages.static_files import page_routes
from service.api.routes import build_routes
from service.gateway.router import Routes
from service.problems import STATUS
from tests.service.serving import BRIGHT, DARK, PNG, TEXT, ask, engine_site, form, instance, post_image, serving


@pytest.fixture(scope="module")
def document(engine: Engine) -> dict[str, Any]:
    return dict(ask(engine, "GET", "/docs.json").json())


def check(document: dict[str, Any], response: httpx.Response, path: str) -> None:
    """The response's status, content type, headers and body are as the document says."""
    operation = document["paths"][path][response.request.method.lower()]
    described = operation["responses"][str(response.status_code)]
    media_type = response.headers["content-type"].split(";")[0]
    schema = described["content"][media_type]["schema"]
    assert {name.lower() for name in response.headers if name.startswith("x-")} <= {
        name.lower() for name in described.get("headers", {})
    }
    if media_type.endswith("json"):
        Draft202012Validator({**schema, "components": document["components"]}).validate(response.json())


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()


def test_the_document_is_the_loaded_bundles(engine: Engine, document: dict[str, Any]) -> None:
    assert document == describe(engine.manifest)
    assert document["info"]["version"] == "tiny@1"
    top_k = document["paths"]["/v1/predict"]["post"]["parameters"][0]
    assert (top_k["name"], top_k["schema"]["maximum"]) == ("top_k", 3)


def test_every_route_and_method_is_described(engine: Engine, document: dict[str, Any]) -> None:
    async def routes() -> Routes:
        async with engine_site(engine) as (site, _, pipeline):
            return build_routes(pipeline, site.settings, lambda: False)

    routed = {(path, method.lower()) for path, methods in asyncio.run(routes()).items() for method in methods}
    described = {(path, method) for path, methods in document["paths"].items() for method in methods}
    assert described == routed - {(path, "get") for path in ("/docs.json", "/healthz", *page_routes())}


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/embed", "/predict"])
def test_every_error_that_a_route_answers_with_is_described(document: dict[str, Any], path: str) -> None:
    responses = set(document["paths"][path]["post"]["responses"])
    wanted = {str(status) for status in STATUS.values()} - {"404", "405", "500", "501", "505"}
    assert responses >= wanted - ({"422"} if path == "/v1/embed" else set())


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/embed"])
def test_real_answers_are_as_described(engine: Engine, document: dict[str, Any], path: str) -> None:
    async def test() -> None:
        async with serving(engine) as (client, pipeline):
            json = {"instances": [instance(BRIGHT), instance(TEXT)]}
            for request in ({"content": BRIGHT, "headers": PNG}, form([BRIGHT, TEXT, DARK]), {"json": json}):
                response = await client.post(path, **request)
                assert response.status_code == 200
                check(document, response, path)
            raw = await client.post(path, headers={"accept": "application/octet-stream"}, **form([BRIGHT, TEXT]))
            check(document, raw, path)
            for body, headers in ((TEXT, PNG), (b"", PNG), (b"", {}), (bytes(11_000_000), PNG)):
                check(document, await client.post(path, content=body, headers=headers), path)
            pipeline.ready = False
            check(document, await client.post(path, content=BRIGHT, headers=PNG), path)

    asyncio.run(test())


def test_options_change_an_answer_as_described(engine: Engine, document: dict[str, Any]) -> None:
    check(document, post_image(engine, BRIGHT, "/v1/predict?timing=1&top_k=2"), "/v1/predict")


@pytest.mark.parametrize("path", ["/v1/models", "/metrics"])
def test_what_can_be_read_is_as_described(engine: Engine, document: dict[str, Any], path: str) -> None:
    check(document, ask(engine, "GET", path), path)


def test_the_columns_of_all_heads_are_described(two_heads: Engine) -> None:
    document = describe(two_heads.manifest)
    OpenAPIV31SpecValidator(document).validate()
    schemas = document["components"]["schemas"]
    assert {name: each["type"] for name, each in schemas["Columns"]["properties"].items()} == {
        "shift": ["number", "null"],
        "force": ["string", "null"],
        "invert": ["boolean", "null"],
    }
    validator = Draft202012Validator({**schemas["Instance"], "components": document["components"]})
    validator.validate({"image": "", "columns": {"shift": 1, "force": None}})
    assert not validator.is_valid({"image": "", "columns": {"shift": "1"}})
    assert not validator.is_valid({"image": "", "columns": {"size": 1}})
