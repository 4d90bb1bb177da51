"""a request's route ──▶ who may take it: everybody, any API key, or one with the route's scope."""

from __future__ import annotations

from models.errors import Forbidden
from service.gateway.api_keys import ApiKey, Scope
from service.messages import Request

OPEN = frozenset(
    {
        "/livez",
        "/readyz",
        "/healthz",
        "/metrics",
        "/v2/health/live",
        "/v2/health/ready",
        "/inference.GRPCInferenceService/ServerLive",
        "/inference.GRPCInferenceService/ServerReady",
        "/grpc.health.v1.Health/Check",
    }
)
"""Routes that need no API key, as they tell nothing of what is sent or answered, and are recorded when they fail."""
INFERENCE = frozenset(
    {
        "/v1/predict",
        "/v1/embed",
        "/predict",
        "/v2/models/{model}/infer",
        "/v2/models/{model}/versions/{version}/infer",
        "/inference.GRPCInferenceService/ModelInfer",
    }
)
"""Routes that take images: refused before their body is read if there is no time for them."""
REVIEW = frozenset(
    {
        "/v1/feedback",
        "/v1/feedback/{id}",
        "/v1/reviews",
        "/v1/reviews/{id}/explanation",
        "/v1/reviews/images/{sha256}",
        "/v1/monitor",
    }
)
"""Routes that show what was recorded, or take answers to it."""
PUBLIC_FOLDER = "/pages/"
_PUBLIC = frozenset(
    {
        "/",
        "/docs",
        "/monitor",
        "/playground",
        "/review",
        "/static_content/swagger-ui.css",
        "/static_content/swagger-ui-bundle.js",
    }
)
"""Pages that need no API key to be read; they ask for one, and send it with what they ask the API."""


def is_public(request: Request) -> bool:
    """Whether no API key is needed."""
    path = request.path
    is_page = path in _PUBLIC or path.startswith(PUBLIC_FOLDER)
    return path in OPEN or (is_page and request.method in ("GET", "HEAD"))


def check_scope(request: Request, key: ApiKey) -> None:
    """Refuses a key that is for other routes.

    Raises:
        Forbidden: the route has a scope that the key has not.
    """
    scope = _scope_of(request.route)
    if scope is not None and scope not in key.scopes:
        has = ", ".join(sorted(key.scopes))
        raise Forbidden(f"{request.path} needs an API key with the scope {scope!r}; {key.name!r} has {has}")


def _scope_of(route: str) -> Scope | None:
    if route in INFERENCE:
        return "predict"
    return "review" if route in REVIEW else None
