"""path ──▶ the route that answers it: handlers by method, and the parts of the path that vary."""

from __future__ import annotations

import re
from collections.abc import Mapping

from service.gateway.transaction import Handler
from service.messages import Request

Routes = Mapping[str, Mapping[str, Handler]]
"""By path and method. A part of a path in braces, as in `/v2/models/{model}`, stands for any text without a slash."""


class Router:
    """Finds the route of a request.

    Args:
        routes: all there are.
    """

    def __init__(self, routes: Routes) -> None:
        self._exact = {path: methods for path, methods in routes.items() if "{" not in path}
        self._patterns = [(path, _pattern(path), methods) for path, methods in routes.items() if "{" in path]

    def has(self, path: str) -> bool:
        """Whether a route without parameters has this path."""
        return path in self._exact

    def find(self, request: Request) -> Mapping[str, Handler] | None:
        """Notes in a request which route it takes.

        Returns:
            The route's handlers by method; None if no route has the request's path.
        """
        methods = self._exact.get(request.path)
        if methods is not None:
            request.route = request.path
            return methods
        for path, pattern, methods in self._patterns:
            if found := pattern.fullmatch(request.path):
                request.route, request.parameters = path, found.groupdict()
                return methods
        return None


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))
