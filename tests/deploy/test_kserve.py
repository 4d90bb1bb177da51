"""KServe's objects fit one another and the server; KServe's own schemas are not at hand."""

from __future__ import annotations

from typing import Any

import yaml

from service.settings import PREFIX, Settings
from tests.deploy.manifests import committed, container, variables
from tests.deploy.promql import DEPLOY

RUNTIME: dict[str, Any] = yaml.safe_load((DEPLOY / "kserve" / "serving-runtime.yaml").read_text())
SERVICE: dict[str, Any] = yaml.safe_load((DEPLOY / "kserve" / "inference-service.yaml").read_text())


def test_the_service_asks_for_what_the_runtime_is() -> None:
    model = SERVICE["spec"]["predictor"]["model"]
    assert model["runtime"] == RUNTIME["metadata"]["name"]
    assert model["modelFormat"]["name"] in {each["name"] for each in RUNTIME["spec"]["supportedModelFormats"]}
    assert model["protocolVersion"] in RUNTIME["spec"]["protocolVersions"]


def test_it_serves_as_the_chart_does() -> None:
    (ours,) = RUNTIME["spec"]["containers"]
    charts = container(committed())
    assert variables(ours).keys() - {"TANDEM_BUNDLE"} == variables(charts).keys()
    assert {name.removeprefix(PREFIX).lower() for name in variables(ours)} <= Settings.model_fields.keys()
    assert charts["securityContext"].items() <= ours["securityContext"].items()
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert ours[probe]["httpGet"]["path"] == charts[probe]["httpGet"]["path"]
        assert ours[probe]["periodSeconds"] == charts[probe]["periodSeconds"]
    assert ours["command"][:5] == charts["command"][:5]
    assert ours["ports"][0]["containerPort"] == int(ours["command"][ours["command"].index("--port") + 1])
