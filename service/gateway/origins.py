"""`Origin` header ──▶ allowed or refused: what pages of other origins may ask (CORS, https://fetch.spec.whatwg.org)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from models.errors import Forbidden
from service.messages import Request, Response

_ALLOWED_HEADERS = b"authorization, content-type, x-request-id, x-request-timeout-ms"
_EXPOSED_HEADERS = b"retry-after, x-request-id, x-tandem-errors, x-tandem-model, x-tandem-shape"
_MAX_AGE_S = b"600"


class Origins:
    """The origins whose pages may ask.

    Args:
        allowed: such as `https://shop.example`; `*` allows all.
    """

    def __init__(self, allowed: Collection[str]) -> None:
        self._allowed = {origin.encode("latin-1", "replace") for origin in allowed}

    def check(self, request: Request) -> None:
        """Refuses a page of an origin that is neither allowed nor the server's own.

        Raises:
            Forbidden: it is not.
        """
        origin = request.headers[b"origin"]
        if not self._is_own(request, origin) and not self._is_allowed(origin):
            shown = origin[:100].decode("latin-1")
            raise Forbidden(f"pages of {shown!r} may not ask; TANDEM_ALLOW_ORIGINS names those that may")

    def headers(self, request: Request) -> list[tuple[bytes, bytes]]:
        """What a response to a page carries; nothing for one that may not read it."""
        origin = request.headers[b"origin"]
        if not self._is_allowed(origin):
            return []
        return [
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", _EXPOSED_HEADERS),
            (b"vary", b"origin"),
        ]

    def preflight(self, request: Request, methods: Mapping[str, object]) -> Response:
        """The answer to a browser that asks first; an origin that may not was refused before."""
        allowed = [
            (b"access-control-allow-methods", ", ".join(methods).encode()),
            (b"access-control-allow-headers", _ALLOWED_HEADERS),
            (b"access-control-max-age", _MAX_AGE_S),
        ]
        return Response(204, headers=allowed if self._is_allowed(request.headers.get(b"origin", b"")) else ())

    def _is_allowed(self, origin: bytes) -> bool:
        return b"*" in self._allowed or origin in self._allowed

    @staticmethod
    def _is_own(request: Request, origin: bytes) -> bool:
        """Whether the page came from this server, by the name that the browser knows it by.

        Behind a proxy with TLS that changes the `Host` header, the browser itself says so: no page can set
        `Sec-Fetch-Site` (https://www.w3.org/TR/fetch-metadata/).
        """
        if request.headers.get(b"sec-fetch-site") == b"same-origin":
            return True
        return origin.partition(b"://")[2].lower() == request.headers.get(b"host", b"").lower()
