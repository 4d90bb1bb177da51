"""The protocol's routes ──▶ their part of the OpenAPI document."""

from __future__ import annotations

from typing import Any

from service.problems import OPEN_INFERENCE_STATUS, STATUS

Json = dict[str, Any]

_OBJECT: Json = {"type": "object"}
_TENSORS: Json = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string"},
        "parameters": _OBJECT,
        "inputs": {"type": "array", "items": {"type": "object", "required": ["name", "shape", "datatype"]}},
        "outputs": {"type": "array", "items": {"type": "object", "required": ["name"]}},
    },
}
_ERROR: Json = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
_REQUEST_ID: Json = {
    "X-Request-Id": {"description": "the request's own, or a new one", "schema": {"type": "string"}},
}
_MODEL: Json = {
    "X-Tandem-Model": {"description": "name@version of the model that answered", "schema": {"type": "string"}},
}
_VERSIONS = (("", ("model",)), ("/versions/{version}", ("model", "version")))
_OF_MODEL = (
    ("", "get", "Inputs and outputs of the model"),
    ("/ready", "get", "The model answers"),
    ("/config", "get", "The model's configuration, as Triton has it"),
    ("/stats", "get", "What was inferred since the server started"),
    ("/infer", "post", "Decide on the images of a tensor"),
)


def open_inference_paths() -> Json:
    """Every path with its operations."""
    paths: Json = {
        "/v2": {"get": _operation("Name, version and extensions of the server")},
        "/v2/health/live": {"get": _operation("The process is alive")},
        "/v2/health/ready": {"get": _operation("Requests are answered")},
        "/v2/models/stats": {"get": _operation("What was inferred since the server started")},
        "/v2/repository/index": {"post": _operation("The model that is served", kind="array")},
    }
    for change in ("load", "unload"):
        path = f"/v2/repository/models/{{model}}/{change}"
        paths[path] = {"post": _operation("Refused: models change by `promote`", "model")}
    for version, names in _VERSIONS:
        for path, method, summary in _OF_MODEL:
            operation = _infer(summary, *names) if path == "/infer" else _operation(summary, *names)
            paths[f"/v2/models/{{model}}{version}{path}"] = {method: operation}
    return paths


def _operation(summary: str, *names: str, kind: str = "object") -> Json:
    return {
        "summary": summary,
        "parameters": [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names],
        "responses": {"200": _response("As the protocol has it", {"type": kind}), **_errors()},
    }


def _infer(summary: str, *names: str) -> Json:
    operation = _operation(summary, *names)
    octets: Json = {"schema": {"type": "string", "format": "binary", "description": "JSON, then binary tensors"}}
    operation["requestBody"] = {
        "required": True,
        "content": {"application/json": {"schema": _TENSORS}, "application/octet-stream": octets},
    }
    answer = operation["responses"]["200"]
    answer["content"]["application/octet-stream"] = octets
    length = {"description": "bytes of JSON in front of binary tensors", "schema": {"type": "integer"}}
    answer["headers"] = {**_REQUEST_ID, **_MODEL, "Inference-Header-Content-Length": length}
    return operation


def _errors() -> Json:
    statuses: dict[int, list[str]] = {}
    for code, status in STATUS.items():
        statuses.setdefault(OPEN_INFERENCE_STATUS.get(code, status), []).append(code)
    return {str(status): _response(" or ".join(codes), _ERROR) for status, codes in sorted(statuses.items())}


def _response(description: str, schema: Json) -> Json:
    return {
        "description": description,
        "headers": dict(_REQUEST_ID),
        "content": {"application/json": {"schema": schema}},
    }
