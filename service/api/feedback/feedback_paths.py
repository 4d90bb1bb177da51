"""routes of the record of decisions ──▶ their part of the OpenAPI document."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_QUERY = (
    ("head", "of whose decisions; all where it is left out", {"type": "string"}),
    ("limit", "how many at most", {"type": "integer", "minimum": 1, "maximum": 100, "default": 10}),
    (
        "lease",
        "seconds for which nobody else is given them; 0 only looks",
        {"type": "integer", "minimum": 0, "maximum": 86_400},
    ),
    (
        "reviewer",
        "who asks; without it, and without an API key, two requests are of two reviewers",
        {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,40}$"},
    ),
)


def feedback_paths(problems: Json) -> Json:
    """Every path with its operations.

    Args:
        problems: responses to what goes wrong, by status; each operation has 404 among them where nothing is recorded.
    """
    undo = {"summary": "Take an answer back", "responses": {"204": {"description": "Taken back"}, **problems}}
    explanation = _get("What the model that serves says of a recorded image, and why", {"type": "object"}, problems)
    return {
        "/v1/feedback": {"post": _feedback(problems)},
        "/v1/feedback/{id}": {"delete": undo | _in_path("id")},
        "/v1/reviews": {"get": _reviews(problems)},
        "/v1/reviews/{id}/explanation": {"get": explanation | _in_path("id")},
        "/v1/reviews/images/{sha256}": {"get": _image(problems) | _in_path("sha256")},
        "/v1/monitor": {"get": _get("Live precision, drift and the shadow", {"type": "object"}, problems)},
    }


def _feedback(problems: Json) -> Json:
    return {
        "summary": "Say what is right for one decision",
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ref("FeedbackBody")}}},
        "responses": {"201": _answer("Written", _ref("FeedbackAnswer")), **problems},
    }


def _reviews(problems: Json) -> Json:
    query = [{"name": name, "in": "query", "description": text, "schema": schema} for name, text, schema in _QUERY]
    return _get("Decisions that wait for a person, best first", _ref("ReviewsAnswer"), problems) | {"parameters": query}


def _image(problems: Json) -> Json:
    content = {"image/*": {"schema": {"type": "string", "format": "binary"}}}
    answer = {"description": "The image", "content": content}
    return {"summary": "A kept image, as it was sent", "responses": {"200": answer, **problems}}


def _get(summary: str, schema: Json, problems: Json) -> Json:
    return {"summary": summary, "responses": {"200": _answer(summary, schema), **problems}}


def _answer(description: str, schema: Json) -> Json:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _in_path(name: str) -> Json:
    return {"parameters": [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}}]}


def _ref(model: str) -> Json:
    return {"$ref": f"#/components/schemas/{model}"}
