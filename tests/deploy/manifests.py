"""deploy/helm ──▶ the objects that it makes of values; deploy/kubernetes.yaml ──▶ those of its defaults."""

from __future__ import annotations

from typing import Any

import yaml

from tools.render_chart import MANIFEST, render

Object = dict[str, Any]


def objects(values: dict[str, Any] | None = None) -> dict[str, Object]:
    """What the chart makes of values, by kind."""
    return _by_kind(render(values=values, namespace="prod"))


def committed() -> dict[str, Object]:
    """What is committed for use without Helm, by kind."""
    return _by_kind(MANIFEST.read_text())


def pod(found: dict[str, Object]) -> Object:
    """The pod of the deployment."""
    spec: Object = found["Deployment"]["spec"]["template"]["spec"]
    return spec


def container(found: dict[str, Object]) -> Object:
    """The container that serves."""
    (only,) = pod(found)["containers"]
    return dict(only)


def variables(of: Object) -> dict[str, str]:
    """The environment of a container."""
    return {each["name"]: each["value"] for each in of.get("env", [])}


def _by_kind(text: str) -> dict[str, Object]:
    found = [document for document in yaml.safe_load_all(text) if document]
    assert len({each["kind"] for each in found}) == len(found)
    return {each["kind"]: each for each in found}
