"""files in `static/` ──▶ routes that need no API key: they hold no data, and ask the API for it as any client does."""

from __future__ import annotations

import hashlib
from pathlib import Path

from service.gateway.access import PUBLIC_FOLDER
from service.gateway.router import Routes
from service.gateway.transaction import Transaction
from service.messages import Headers, Response

STATIC = Path(__file__).with_name("static")
PAGES = {
    "/": "index.html",
    "/docs": "api_reference.html",
    "/monitor": "monitor.html",
    "/playground": "playground.html",
    "/review": "review.html",
}
"""File of each page; every other file is below `PUBLIC_FOLDER`, by its path in `STATIC`."""

_TYPES = {
    ".css": b"text/css; charset=utf-8",
    ".html": b"text/html; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
}
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_STRICTEST = _POLICY + b"; trusted-types 'none'; require-trusted-types-for 'script'"
_HEADERS = (
    (b"cache-control", b"no-cache"),  # kept, but asked after each time: a new version shows at once
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(self), geolocation=(), microphone=()"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


class StaticFile:
    """Answers with one file, which is read once.

    Args:
        path: the file; its suffix tells the content type.
    """

    def __init__(self, path: Path) -> None:
        self._body = path.read_bytes()
        self._type = _TYPES[path.suffix]
        self._tag = b'"%b"' % hashlib.sha256(self._body).hexdigest()[:32].encode()
        # Swagger UI assigns HTML, so its page goes without Trusted Types.
        policy = _POLICY if path.name == PAGES["/docs"] else _STRICTEST
        self._headers = (*_HEADERS, (b"content-security-policy", policy), (b"etag", self._tag))

    def __call__(self, transaction: Transaction) -> Response:
        """The file, or 304 if the browser has it."""
        if self._is_known(transaction.request.headers):
            return Response(304, headers=self._headers)
        return Response(200, self._body, self._type, self._headers)

    def _is_known(self, headers: Headers) -> bool:
        given = headers.get(b"if-none-match", b"")
        return self._tag in given or given.strip() == b"*"


def page_routes() -> Routes:
    """The pages and what they load."""
    pages = {route: STATIC / name for route, name in PAGES.items()}
    assets = {
        PUBLIC_FOLDER + file.relative_to(STATIC).as_posix(): file
        for file in sorted(STATIC.rglob("*.*"))
        if file.suffix != ".html"
    }
    return {route: {"GET": StaticFile(file)} for route, file in (pages | assets).items()}
