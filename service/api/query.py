"""a request's query ──▶ `Options`: which heads decide, and how much of it is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl

from models.bundle.head_spec import HeadSpec
from models.errors import BadRequest
from service.api.predictions import check_top_k
from service.inference.loaded_model import Served

KNOWN = ("top_k", "timing", "heads", "explain")


class Options(NamedTuple):
    """What a request's query asks for."""

    heads: tuple[HeadSpec, ...]
    top_k: int | None = None
    timing: bool = False
    explain: bool = False


def read_options(query: bytes, served: Served, known: tuple[str, ...] = KNOWN) -> Options:
    """Reads a query; a misspelt option is an error, since its wish would silently not come true.

    Args:
        query: behind the `?`.
        served: whose heads decide.
        known: the options that the route has.

    Raises:
        BadRequest: an unknown option, or a value that is none.
    """
    heads = served.engine.default
    if not query:
        return Options(heads)
    given = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    for name in given:
        if name not in known:
            raise BadRequest(f"unknown query parameter {name[:40]!r}; known are {', '.join(known) or 'none'}")
    if "heads" in given:
        heads = served.engine.manifest.chosen_heads(given["heads"].split(","))
    top_k = check_top_k(given["top_k"], heads) if "top_k" in given else None
    timing, explain = _read_flag("timing", given), _read_flag("explain", given)
    if explain and (silent := [head.name for head in heads if head.name not in served.engine.explainers]):
        raise BadRequest(f"head {silent[0]!r} of {served.name} cannot explain: its bundle was built without examples")
    return Options(heads, top_k, timing, explain)


def _read_flag(name: str, given: Mapping[str, str]) -> bool:
    text = given.get(name, "0")
    if text not in ("0", "1"):
        raise BadRequest(f"{name} must be 0 or 1; got {text[:40]!r}")
    return text == "1"
