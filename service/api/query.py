"""a request's query ──▶ `Options`: which heads decide, and how much of it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import parse_qsl

from models.bundle.head_spec import HeadSpec
from models.errors import BadRequest
from service.inference.loaded_model import LoadedModel

KNOWN = ("top_k", "timing", "heads", "explain")


class Options(NamedTuple):
    """What a request's query asks for."""

    heads: tuple[HeadSpec, ...]
    top_k: int | None = None
    timing: bool = False
    explain: bool = False


def read_options(query: bytes, model: LoadedModel, known: tuple[str, ...] = KNOWN) -> Options:
    """Reads a query; a misspelt option is an error, since its wish would silently not come true.

    Args:
        query: behind the `?`.
        model: whose heads decide.
        known: the options that the route has.

    Raises:
        BadRequest: an unknown option, or a value that is none.
    """
    heads = model.engine.default
    if not query:
        return Options(heads)
    given = read_query(query, known)
    if "heads" in given:
        heads = model.engine.manifest.chosen_heads(given["heads"].split(","))
    top_k = read_top_k(given["top_k"], heads) if "top_k" in given else None
    timing, explain = _read_flag("timing", given), _read_flag("explain", given)
    if explain and (silent := [head.name for head in heads if head.name not in model.engine.explainers]):
        raise BadRequest(f"head {silent[0]!r} of {model.name} cannot explain: its bundle was built without examples")
    return Options(heads, top_k, timing, explain)


def read_query(query: bytes, known: tuple[str, ...]) -> dict[str, str]:
    """Values by name, of what a route knows.

    Raises:
        BadRequest: an unknown name.
    """
    given = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    for name in given:
        if name not in known:
            raise BadRequest(f"unknown query parameter {name[:40]!r}; known are {', '.join(known) or 'none'}")
    return given


def read_number(name: str, text: str, least: int, most: int) -> int:
    """Reads a number of a query.

    Raises:
        BadRequest: not a whole number from `least` to `most`.
    """
    if not text.isascii() or not text.isdecimal() or len(text) > 9 or not least <= int(text) <= most:
        raise BadRequest(f"{name} must be a whole number from {least} to {most}; got {text[:40]!r}")
    return int(text)


def read_top_k(text: str, heads: Sequence[HeadSpec]) -> int:
    """Reads the query's `top_k`.

    Raises:
        BadRequest: not a whole number from 1 to the number of classes, of the heads the largest one.
    """
    return read_number("top_k", text, 1, max(head.width for head in heads))


class Queries:
    """What queries ask of the model that serves: most callers send the same one again and again."""

    _KEPT, _QUERY_BYTES = 256, 256

    def __init__(self) -> None:
        self._model = ""
        self._options: dict[bytes, Options] = {}

    def read(self, query: bytes, model: LoadedModel) -> Options:
        """The options of a query.

        Raises:
            BadRequest: it asks for what there is not.
        """
        if self._model != model.name or len(self._options) >= self._KEPT:
            self._model, self._options = model.name, {}
        options = self._options.get(query)
        if options is None:
            options = read_options(query, model)
            if len(query) <= self._QUERY_BYTES:
                self._options[query] = options
        return options


def _read_flag(name: str, given: Mapping[str, str]) -> bool:
    text = given.get(name, "0")
    if text not in ("0", "1"):
        raise BadRequest(f"{name} must be 0 or 1; got {text[:40]!r}")
    return text == "1"
