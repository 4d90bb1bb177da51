"""The Helm chart: valid for Kubernetes with every kind of values, safe by default, and true to how a server lives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from service.http.server import GRACE_AFTER_DEADLINE_S
from service.process.launcher import GRACE_S
from service.process.supervisor import KILLED_AFTER_S
from service.settings import PREFIX, Settings
from tests.deploy.manifests import committed, container, objects, pod, variables
from tools.render_chart import CHART, MANIFEST, render

helm = pytest.importorskip("helm_python", reason="helm-python-sdk is not installed: pip install 'tandem[chart]'")
kubernetes_validate = pytest.importorskip("kubernetes_validate")

VERSIONS = ["1.27", "1.31", "1.37"]
FOREIGN = {"ScaledObject", "ServiceMonitor"}  # of KEDA and Prometheus' operator
KEY = "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n"
GPU = yaml.safe_load((CHART / "values-gpu.yaml").read_text())
URL = {"url": "s3://bundles/washers", "credentialsSecret": "storage"}
VALUES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "a GPU": GPU,
    "a claim": {"bundle": {"existingClaim": "store", "path": "washers"}},
    "object storage": {"bundle": {**URL, "env": [{"name": "AWS_ENDPOINT_URL", "value": "http://minio:9000"}]}},
    "followed object storage": {"bundle": {**URL, "follow": True}},
    "gRPC": {"grpcPort": 8081},
    "keys": {"verifyKey": KEY, "apiKeysSecret": "keys"},
    "autoscaling": {"autoscaling": {"enabled": True}},
    "KEDA and the operator": {"keda": {"enabled": True}, "serviceMonitor": {"enabled": True, "labels": {"a": "b"}}},
    "everything of a pod": {
        "podAnnotations": {"a": "b"},
        "podLabels": {"a": "b"},
        "nodeSelector": {"a": "b"},
        "tolerations": [{"key": "a", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "high",
        "runtimeClassName": "nvidia",
        "imagePullSecrets": [{"name": "registry"}],
        "env": [{"name": "OTEL_SERVICE_NAME", "value": "tandem"}],
        "networkPolicy": {
            "from": [{"namespaceSelector": {}}],
            "egress": [{"ports": [{"port": 4318}], "to": [{"podSelector": {}}]}],
        },
        "serviceAccount": {"annotations": {"a": "b"}},
        "service": {"type": "LoadBalancer", "annotations": {"a": "b"}},
    },
}  # fmt: skip


def test_lint_finds_nothing_but_a_missing_icon() -> None:
    report = helm.chart.lint(CHART, None, strict=True)
    assert [each["error"] for each in report["messages"]] == ["icon is recommended"]
    assert report["errors"] == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_every_object_is_one_of_kubernetes(values: dict[str, Any], version: str) -> None:
    for kind, each in objects(values).items():
        if kind not in FOREIGN:
            kubernetes_validate.validate(each, version, strict=True)


def test_a_bundle_in_an_image_is_a_volume() -> None:
    found = objects({"bundle": {"image": "registry/washers:2", "path": "washers"}})
    kubernetes_validate.validate(found["Deployment"], "1.37", strict=True)
    assert {"name": "bundles", "image": {"reference": "registry/washers:2", "pullPolicy": "IfNotPresent"}} in pod(
        found
    )["volumes"]


def test_what_is_committed_for_use_without_helm_is_what_the_defaults_give() -> None:
    assert MANIFEST.read_text() == render()


def test_every_container_is_without_root_and_rights_and_writes_to_memory_alone() -> None:
    found = objects(VALUES["object storage"])
    assert pod(found)["securityContext"]["runAsNonRoot"]
    assert not pod(found)["automountServiceAccountToken"]
    for each in (*pod(found)["containers"], *pod(found)["initContainers"]):
        context = each["securityContext"]
        assert (context["readOnlyRootFilesystem"], context["allowPrivilegeEscalation"]) == (True, False)
        assert context["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("values", [{}, {"preStopSeconds": 20, "drainSeconds": 30, "graceSeconds": 90}])
def test_a_pod_is_not_killed_before_the_server_has_ended_by_itself(values: dict[str, Any]) -> None:
    found = objects(values)
    command = container(found)["command"]
    grace_s = float(command[command.index("--timeout-graceful-shutdown") + 1])
    before_s = float(container(found)["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod(found)["terminationGracePeriodSeconds"] >= before_s + grace_s + KILLED_AFTER_S


def test_readiness_is_asked_for_within_the_drain_and_the_defaults_are_the_servers() -> None:
    found = container(committed())
    probe = found["readinessProbe"]
    assert probe["httpGet"]["path"] == "/readyz"
    assert probe["periodSeconds"] * probe["failureThreshold"] <= float(variables(found)["TANDEM_DRAIN_S"])
    assert found["command"][-1] == str(GRACE_S)
    assert Settings().deadline_ms / 1000 + Settings().drain_s + GRACE_AFTER_DEADLINE_S <= GRACE_S


def test_each_variable_is_a_setting() -> None:
    values = {"settings": {"device": "cpu"}, "verifyKey": KEY, "apiKeysSecret": "keys", **VALUES["object storage"]}
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    assert {name for name in variables(container(objects(values))) if name.startswith(PREFIX)} <= known


def test_settings_are_written_as_the_server_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"max_body_bytes": 20971520, "keep_alive_s": 1.5, "access_log": False, "device": "cpu", "cache_mb": 0}
    for name, value in variables(container(objects({"settings": given}))).items():
        monkeypatch.setenv(name, value)
    settings = Settings.from_environment()
    assert {name: getattr(settings, name) for name in given} == given


@pytest.mark.parametrize(
    ("bundle", "path"),
    [
        pytest.param({"existingClaim": "store", "path": "washers"}, "/bundles/washers", id="a claim"),
        pytest.param({"url": "s3://bundles/washers"}, "/bundles/washers", id="an entry's URL"),
        pytest.param({"url": "s3://bundles/washers/"}, "/bundles/washers", id="with a slash"),
        pytest.param({"url": "https://host/a/washers/12/"}, "/bundles/washers", id="a version's URL"),
        pytest.param({"url": "s3://b/washers", "follow": True}, "s3://b/washers", id="a followed URL"),
    ],
)
def test_the_server_is_told_where_the_bundle_is(bundle: dict[str, Any], path: str) -> None:
    assert variables(container(objects({"bundle": bundle})))["TANDEM_BUNDLE"] == path


def test_grpc_has_a_port_of_pod_service_and_policy_only_where_it_is_asked_for() -> None:
    found = objects(VALUES["gRPC"])
    assert variables(container(found))["TANDEM_GRPC_PORT"] == "8081"
    assert [each["name"] for each in found["Service"]["spec"]["ports"]] == ["http", "grpc"]
    assert {"port": "grpc"} in found["NetworkPolicy"]["spec"]["ingress"][0]["ports"]
    assert "grpc" not in MANIFEST.read_text().lower()


def test_credentials_reach_only_what_downloads() -> None:
    secret = [{"secretRef": {"name": "storage"}}]
    found = objects(VALUES["object storage"])
    (download,) = pod(found)["initContainers"]
    assert download["envFrom"] == secret
    assert "envFrom" not in container(found)
    followed = objects(VALUES["followed object storage"])
    assert "initContainers" not in pod(followed)
    assert container(followed)["envFrom"] == secret
    assert variables(container(followed))["XDG_CACHE_HOME"].startswith("/bundles/")


def test_the_pods_may_reach_nothing_but_names_unless_they_download() -> None:
    names = [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]
    assert objects()["NetworkPolicy"]["spec"]["egress"] == [{"ports": names}]
    assert {"ports": [{"port": 443}, {"port": 80}]} in objects({"bundle": URL})["NetworkPolicy"]["spec"]["egress"]


def test_whoever_scales_decides_on_the_number_of_pods() -> None:
    assert objects()["Deployment"]["spec"]["replicas"] == 2
    assert "replicas" not in objects(VALUES["autoscaling"])["Deployment"]["spec"]
    scaled = objects(VALUES["KEDA and the operator"])
    assert "replicas" not in scaled["Deployment"]["spec"]
    assert "tandem_queue_wait_estimate_seconds" in scaled["ScaledObject"]["spec"]["triggers"][0]["metadata"]["query"]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        pytest.param({"replica": 3}, "replica", id="a misspelt value"),
        pytest.param({"bundle": {"uri": "s3://b/x"}}, "uri", id="a misspelt value of the bundle"),
        pytest.param({"bundle": {"url": "washers"}}, "url", id="a URL that is none"),
        pytest.param({"bundle": {"url": "s3://b/x", "existingClaim": "a"}}, "give one of", id="two bundles"),
        pytest.param({"bundle": {"existingClaim": "a"}}, "name the store entry", id="a claim without a path"),
        pytest.param({"bundle": {"path": "washers"}}, "goes with", id="a path without a claim"),
        pytest.param({"bundle": {"follow": True}}, "goes with bundle.url", id="nothing to follow"),
        pytest.param({"drainSeconds": 30}, "graceSeconds 30: must be more", id="a drain as long as the grace"),
        pytest.param({"autoscaling": {"enabled": True}, "keda": {"enabled": True}}, "one of them", id="two scalers"),
        pytest.param({"verifyKey": "keys/public.pem"}, "verifyKey", id="a path for a key"),
        pytest.param({"settings": {"bundle": "x"}}, "'bundle'", id="a setting that has a value of its own"),
        pytest.param({"settings": {"TANDEM_DEVICE": "cpu"}}, "TANDEM_DEVICE", id="a setting with its prefix"),
        pytest.param({"workers": 0}, "workers", id="no workers"),
        pytest.param({"port": 80}, "port", id="a port that needs root"),
    ],
)
def test_values_that_cannot_be_are_refused_by_name(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(helm.HelmError, match=reason):
        objects(values)


def test_the_chart_goes_through_an_archive(tmp_path: Path) -> None:
    with helm.chart.Chart.load(CHART) as loaded, helm.chart.Chart.load(loaded.save(tmp_path)) as unpacked:
        assert unpacked.render(name="tandem", namespace="default") == loaded.render(name="tandem", namespace="default")
