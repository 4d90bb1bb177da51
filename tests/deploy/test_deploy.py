"""Alerts and dashboard name what a running service really exports."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from loadtests.load.processes import stop_group
from loadtests.load.server_process import free_port
from service.observability.metric_families import FAMILIES
from tests.deploy.conftest import Exported
from tests.deploy.promql import ALERTS, DEPLOY, Query, alerts, dashboard, panels, queries

PATIENCE_S = 60.0
FROM_THE_SCRAPE = {"job", "instance"}  # Prometheus adds them
UNIT_TESTS = Path(__file__).with_name("alerts.test.yml")
QUERIES = list(queries())
IDS = [f"{query.where} {number}" for number, query in enumerate(QUERIES)]

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian: apt-get install prometheus)"
)


def exported_labels(text: str) -> dict[str, dict[str, set[str]]]:
    """Name of a series → label → its values."""
    found: dict[str, dict[str, set[str]]] = {"up": {}}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = found.setdefault(sample.name, defaultdict(set))
            for name, value in sample.labels.items():
                labels[name].add(value)
    return found


def test_the_service_exports_every_family_that_it_declares(exported: Exported) -> None:
    assert {family.name for family in text_string_to_metric_families(exported.text)} == set(FAMILIES)


@pytest.mark.parametrize("query", QUERIES, ids=IDS)
def test_every_expression_names_series_and_labels_that_exist(query: Query, exported: Exported) -> None:
    known = exported_labels(exported.text)
    assert query.metrics, f"{query.where} asks for nothing of ours"
    assert query.metrics <= known.keys()
    labels = {label for metric in query.metrics for label in known[metric]} | FROM_THE_SCRAPE
    assert query.labels <= labels
    for metric, label, operator, value in query.matchers:
        assert label in known[metric].keys() | FROM_THE_SCRAPE, f"{metric} has no label {label}"
        if operator == "=" and label not in FROM_THE_SCRAPE:
            assert value in known[metric][label], f"no {metric} has {label}={value!r}"


def test_the_dashboard_shows_every_family() -> None:
    shown = {metric for query in QUERIES if query.where.startswith("panel") for metric in query.metrics}
    missing = {name for name in FAMILIES if not any(metric.startswith(name) for metric in shown)}
    assert missing == set()


def test_the_dashboard_can_be_imported() -> None:
    document = dashboard()
    everything = document["panels"]
    assert document["uid"] == "tandem"
    assert len({panel["id"] for panel in everything}) == len(everything)
    assert len({panel["title"] for panel in panels()}) == len(panels())
    for panel in panels():
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs)
    taken: set[tuple[int, int]] = set()
    for panel in everything:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, f"{panel['title']} overlaps another panel"
        taken |= cells


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_what_happened_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["for"]
    assert "{{ $labels.instance }}" in rule["annotations"]["summary"]
    assert len(rule["annotations"]["description"]) > 40


@needs_promtool
@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "rules", str(ALERTS)],
        ["check", "config", str(DEPLOY / "prometheus" / "prometheus.yml")],
        ["test", "rules", str(UNIT_TESTS)],
    ],
    ids=["rules", "configuration", "situations"],
)
def test_prometheus_own_tool_accepts(arguments: list[str]) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_seen_firing_in_some_situation() -> None:
    assert [rule["alert"] for rule in alerts() if f'alertname="{rule["alert"]}"' not in UNIT_TESTS.read_text()] == []


@contextlib.contextmanager
def scraping(exported: Exported, directory: Path) -> Iterator[httpx.Client]:
    """A real Prometheus with the shipped configuration, but for address and pace; a client of it."""
    document = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    document["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    document["rule_files"] = [str(ALERTS)]
    document["scrape_configs"][0]["static_configs"] = [{"targets": [exported.url.removeprefix("http://")]}]
    config = directory / "prometheus.yml"
    config.write_text(yaml.safe_dump(document))
    address = f"127.0.0.1:{free_port()}"
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={directory / 'data'}"]
    with (directory / "prometheus.log").open("w") as log:
        process = subprocess.Popen(
            [*command, f"--web.listen-address={address}"], stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        with httpx.Client(base_url=f"http://{address}", trust_env=False, timeout=10) as client:
            yield client
    finally:
        stop_group(process, grace_s=10)


def ask(client: httpx.Client, expr: str) -> list[Any]:
    document = client.get("/api/v1/query", params={"query": expr}).json()
    assert document["status"] == "success", (expr, document)
    return list(document["data"]["result"])


def wait_for_scrapes(client: httpx.Client, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        assert time.monotonic() < deadline, "Prometheus has not scraped the server"
        with contextlib.suppress(httpx.TransportError, ValueError):
            found = client.get("/api/v1/query", params={"query": f'count_over_time(up{{job="tandem"}}[1m]) >= {count}'})
            if found.status_code == 200 and found.json()["data"]["result"]:
                return
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="prometheus is not installed (Debian: apt-get install prometheus)"
)
def test_a_real_prometheus_answers_every_query_and_raises_no_alert(exported: Exported, tmp_path: Path) -> None:
    with scraping(exported, tmp_path) as client:
        wait_for_scrapes(client, 3)
        assert [result["value"][1] for result in ask(client, 'up{job="tandem"}')] == ["1"]
        empty = [query.where for query in QUERIES if not ask(client, query.expr) and query.where.startswith("panel")]
        assert empty == ["panel Refusals by code"]  # shown only while there are some
        rules = client.get("/api/v1/rules").json()["data"]["groups"][0]["rules"]
        assert {rule["name"]: rule["state"] for rule in rules} == {rule["alert"]: "inactive" for rule in alerts()}
