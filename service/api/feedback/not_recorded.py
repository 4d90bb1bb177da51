"""Routes of the record of decisions where there is none: they say how to get one."""

from __future__ import annotations

from models.errors import NotFound
from service.gateway.access import REVIEW
from service.gateway.router import Routes
from service.gateway.transaction import Transaction
from service.messages import Response

METHODS = {"/v1/feedback": "POST", "/v1/feedback/{id}": "DELETE"}
"""Of routes that are not read by GET."""


def routes_without_record() -> Routes:
    """By path and method; each answers with 404."""
    return {path: {METHODS.get(path, "GET"): _refuse} for path in sorted(REVIEW)}


def _refuse(_: Transaction) -> Response:
    raise NotFound("no decisions are recorded here; TANDEM_FEEDBACK_URL names the database to record them in")
