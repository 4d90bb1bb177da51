"""routes and schemas ──▶ the OpenAPI 3.1 document at `/docs.json`, where BentoML's page looks for it."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from models.bundle.manifest import Manifest
from service.api.body.bodies import PACKED
from service.api.column_schema import describe_columns
from service.api.feedback.feedback_paths import feedback_paths
from service.api.feedback.feedback_schemas import FeedbackAnswer, FeedbackBody, ReviewsAnswer
from service.api.open_inference.openapi_paths import open_inference_paths
from service.api.schemas import (
    Decisions,
    EmbeddingAnswer,
    EmbeddingsAnswer,
    Estimate,
    Instance,
    Prediction,
    Predictions,
)
from service.problems import MEDIA_TYPE, STATUS, ItemError, Problem

_ANSWERS = ("Prediction", "Estimate", "Decisions", "Predictions")
_SCHEMAS = (
    Instance,
    Prediction,
    Estimate,
    Decisions,
    Predictions,
    EmbeddingAnswer,
    EmbeddingsAnswer,
    FeedbackBody,
    FeedbackAnswer,
    ReviewsAnswer,
    ItemError,
    Problem,
)
_REFERENCE = "#/components/schemas/{model}"
_IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp", "application/octet-stream")
_DESCRIPTION = (
    "A deep network perceives, classical models decide: send images, get decisions. "
    "Every error is an RFC 9457 problem document with a stable `code`."
)

Json = dict[str, Any]

_FAILURES = (400, 401, 403, 413, 415, 429, 431, 503, 504)
_REQUEST_ID: Json = {
    "X-Request-Id": {"description": "the request's own, or a new one", "schema": {"type": "string"}},
}
_RETRY_AFTER: Json = {
    "Retry-After": {"description": "seconds until there is likely to be room", "schema": {"type": "integer"}},
}
_HEADERS: list[Json] = [
    {
        "name": "X-Request-Timeout-Ms",
        "in": "header",
        "description": "deadline in milliseconds, where it is to be shorter than the server's",
        "schema": {"type": "integer", "minimum": 1, "maximum": 600_000},
    },
    {
        "name": "X-Request-Id",
        "in": "header",
        "description": "an id that the answer and the log repeat",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._~:/+=-]{1,128}$"},
    },
]


def describe(manifest: Manifest) -> Json:
    """The document for the loaded bundle; `Columns` are those of all its heads."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tandem", "version": manifest.model, "description": _DESCRIPTION},
        "servers": [{"url": "."}],
        "paths": {
            "/v1/predict": {"post": _predict(manifest)},
            "/v1/embed": {"post": _embed()},
            "/v1/models": {"get": _get("The loaded bundle's manifest", "application/json", {"type": "object"})},
            "/predict": {"post": _native()},
            "/livez": {"get": _get("The process is alive", "text/plain", {"type": "string"})},
            "/readyz": {
                "get": _get(
                    "The golden check passed and requests are answered", "text/plain", {"type": "string"}, [503]
                )
            },
            "/metrics": {"get": _get("Prometheus metrics", "text/plain", {"type": "string"})},
            **open_inference_paths(),
            **feedback_paths(_problems(400, 401, 403, 404, 413, 415, 422, 429, 431, 503, 504)),
        },
        "components": {"schemas": _components(manifest)},
    }


def _predict(manifest: Manifest) -> Json:
    classes = max(head.width for head in manifest.heads)
    names = ", ".join(head.name for head in manifest.heads)
    return {
        "operationId": "predict",
        "summary": "Decide on one or several images",
        "parameters": [
            _query("top_k", "show only the k most probable classes", {"minimum": 1, "maximum": classes}),
            {
                "name": "heads",
                "in": "query",
                "description": f"names with commas between them, of {names}; the first one where none is named",
                "schema": {"type": "string"},
            },
            _query("explain", "1 adds why: the nearest training examples, and what moved the answer", {"enum": [0, 1]}),
            _query("timing", "1 adds the milliseconds of each stage", {"enum": [0, 1]}),
            *_HEADERS,
        ],
        "requestBody": _bodies(),
        "responses": {
            "200": _by_model(_content("One answer, or a list in order", [_ref(name) for name in _ANSWERS])),
            **_problems(*_FAILURES, 422),
        },
    }


def _embed() -> Json:
    answer = _content("One embedding, or a list in order", [_ref("EmbeddingAnswer"), _ref("EmbeddingsAnswer")])
    answer["content"]["application/octet-stream"] = {"schema": {"type": "string", "format": "binary"}}
    answer["headers"] |= {
        "X-Tandem-Shape": {"description": "N,D of the raw float32 answer", "schema": {"type": "string"}},
        "X-Tandem-Errors": {"description": "rows that are NaN, as index=code", "schema": {"type": "string"}},
    }
    return {
        "operationId": "embed",
        "summary": "Embed one or several images",
        "parameters": _HEADERS,
        "requestBody": _bodies(),
        "responses": {"200": _by_model(answer), **_problems(*_FAILURES)},
    }


def _native() -> Json:
    return {
        "operationId": "hybrid_service__predict",
        "summary": "The same as BentoML's own clients call it",
        "x-bentoml-name": "predict",
        "parameters": _HEADERS,
        "requestBody": {"required": True, "content": {"application/json": {"schema": _instances()}}},
        "responses": {
            "200": _by_model(_content("Predictions in order", [_ref("Predictions")])),
            **_problems(*_FAILURES, 422),
        },
    }


def _bodies() -> Json:
    parts = {
        "type": "object",
        "properties": {
            "image": {"type": "array", "items": {"type": "string", "format": "binary"}},
            "columns": {"type": "string", "description": "JSON: `Columns` for all images, or a list of one for each"},
        },
        "patternProperties": {
            "^image\\[[0-9]+\\]$": {
                "type": "array",
                "items": {"type": "string", "format": "binary"},
                "description": "photos of the instance of this number, from 0 on, in the place of `image`",
            }
        },
    }
    content: Json = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in _IMAGE_TYPES}
    content[PACKED] = {
        "schema": {
            "type": "string",
            "format": "binary",
            "description": "images one after the other, each behind its size in bytes, a little-endian uint32",
        }
    }
    content["multipart/form-data"] = {"schema": parts}
    content["application/json"] = {"schema": _instances()}
    return {"required": True, "content": content}


def _instances() -> Json:
    return {
        "type": "object",
        "required": ["instances"],
        "additionalProperties": False,
        "properties": {"instances": {"type": "array", "minItems": 1, "items": _ref("Instance")}},
    }


def _get(summary: str, media_type: str, schema: Json, failures: list[int] | None = None) -> Json:
    answer = {"description": summary, "headers": _REQUEST_ID, "content": {media_type: {"schema": schema}}}
    return {"summary": summary, "responses": {"200": answer, **_problems(*(failures or []))}}


def _query(name: str, description: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "description": description, "schema": {"type": "integer", **schema}}


def _content(description: str, schemas: list[Json]) -> Json:
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    return {
        "description": description,
        "headers": dict(_REQUEST_ID),
        "content": {"application/json": {"schema": schema}},
    }


def _by_model(answer: Json) -> Json:
    answer["headers"]["X-Tandem-Model"] = {
        "description": "name@version of the model that answered",
        "schema": {"type": "string"},
    }
    return answer


def _problems(*statuses: int) -> Json:
    by_status: dict[int, list[str]] = {}
    for code, status in STATUS.items():
        by_status.setdefault(status, []).append(code)
    return {
        str(status): {
            "description": " or ".join(by_status[status]),
            "headers": _REQUEST_ID | (_RETRY_AFTER if status == 429 else {}),
            "content": {MEDIA_TYPE: {"schema": _ref("Problem")}},
        }
        for status in statuses
    }


def _ref(model: str) -> Json:
    return {"$ref": _REFERENCE.format(model=model)}


def _components(manifest: Manifest) -> Json:
    inputs = [(schema.__name__, "validation", TypeAdapter(schema)) for schema in _SCHEMAS]
    references, definitions = TypeAdapter.json_schemas(inputs, ref_template=_REFERENCE)  # type: ignore[arg-type]
    components: Json = dict(definitions.get("$defs", {}))
    for (name, _), schema in references.items():
        if schema.get("$ref") != _REFERENCE.format(model=name):
            components[str(name)] = schema
    components["Columns"] = describe_columns(manifest)
    components["Instance"]["properties"]["columns"]["anyOf"][0] = _ref("Columns")
    return components
