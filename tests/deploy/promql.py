"""PromQL, read as far as a test needs it: which metrics an expression names, and which labels and values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERTS = DEPLOY / "prometheus" / "alerts.yml"
DASHBOARD = DEPLOY / "grafana" / "tandem.json"
VARIABLES = {"$__rate_interval": "1m", "$instance": ".+"}  # what Grafana puts in

_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_SELECTOR = re.compile(r"\b(tandem_\w+|up)\b\s*(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"')
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")


@dataclass(frozen=True)
class Query:
    """An expression and where it stands."""

    where: str
    expr: str
    legend: str = ""

    @property
    def metrics(self) -> set[str]:
        """Names of series."""
        return {name for name, _ in _SELECTOR.findall(_without_groupings(self.expr))}

    @property
    def matchers(self) -> list[tuple[str, str, str, str]]:
        """Metric, label, operator, value."""
        return [
            (metric, *matcher)
            for metric, inside in _SELECTOR.findall(self.expr)
            for matcher in _MATCHER.findall(inside)
        ]

    @property
    def labels(self) -> set[str]:
        """Labels that the result is grouped or joined by, or that its legend shows."""
        grouped = {label.strip() for inside in _GROUPING.findall(self.expr) for label in inside.split(",")}
        return (grouped | set(re.findall(r"\{\{\s*(\w+)\s*\}\}", self.legend))) - {""}


def _without_groupings(expr: str) -> str:
    return _GROUPING.sub("", _STRING.sub('""', expr))


def alerts() -> list[dict[str, Any]]:
    """The alert rules."""
    document = yaml.safe_load(ALERTS.read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    """The dashboard."""
    document: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return document


def panels() -> list[dict[str, Any]]:
    """Panels that show something."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def queries() -> Iterator[Query]:
    """Every expression that is shipped, Grafana's variables filled in."""
    for rule in alerts():
        yield Query(f"alert {rule['alert']}", rule["expr"])
    for panel in panels():
        for target in panel["targets"]:
            yield Query(f"panel {panel['title']}", _filled(target["expr"]), target["legendFormat"])
    for note in dashboard()["annotations"]["list"]:
        yield Query(f"annotation {note['name']}", _filled(note["expr"]), note["titleFormat"])


def _filled(expr: str) -> str:
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    assert "$" not in expr, expr
    return expr
