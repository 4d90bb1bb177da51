"""What Prometheus sees: names, and labels that no caller can multiply."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service import metrics
from service.engine import Engine
from tests.service.serving import MID, PNG, TEXT, form, serving

NAMES = {
    "tandem_requests",
    "tandem_request_seconds",
    "tandem_images",
    "tandem_batch_images",
    "tandem_stage_seconds",
}


def families(text: str) -> set[str]:
    return {family.name for family in text_string_to_metric_families(text)}


def series(text: str) -> set[str]:
    return {line.rsplit(" ", 1)[0] for line in text.splitlines() if line.startswith("tandem_")}


def samples(text: str) -> dict[str, float]:
    rows = (line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("tandem_"))
    return {name: float(value) for name, value in rows}


def test_the_metrics_have_their_documented_names(engine: Engine) -> None:
    async def test() -> str:
        async with serving(engine) as (client, _):
            await client.post("/v1/predict", content=MID, headers=PNG)
            response = await client.get("/metrics")
            assert response.headers["content-type"].startswith("text/plain")
            return response.text

    assert families(asyncio.run(test())) >= NAMES


def test_images_are_counted_by_result_and_batches_by_size(engine: Engine) -> None:
    async def test() -> tuple[dict[str, float], dict[str, float]]:
        async with serving(engine) as (client, _):
            before = samples((await client.get("/metrics")).text)
            await client.post("/v1/predict", **form([MID, TEXT, MID]))
            return before, samples((await client.get("/metrics")).text)

    before, after = asyncio.run(test())
    changes = {name: value - before.get(name, 0.0) for name, value in after.items()}
    assert changes['tandem_images_total{result="ok"}'] == 2
    assert changes['tandem_images_total{result="unsupported_type"}'] == 1
    assert changes["tandem_batch_images_sum"] == 2
    assert changes['tandem_requests_total{route="/v1/predict",status="200"}'] == 1
    assert changes['tandem_stage_seconds_count{stage="embed"}'] == 1


def test_random_paths_and_methods_add_no_series(engine: Engine) -> None:
    async def test() -> tuple[set[str], set[str]]:
        async with serving(engine) as (client, _):
            await client.get("/first/random/path")
            before = series((await client.get("/metrics")).text)
            for number in range(30):
                await client.get(f"/random/{number}?a={number}")
            return before, series((await client.get("/metrics")).text)

    before, after = asyncio.run(test())
    assert after == before
    assert {re.sub(r'.*route="([^"]*)".*', r"\1", name) for name in after if "route=" in name} <= {
        "/v1/predict",
        "/v1/embed",
        "/v1/models",
        "/predict",
        "/docs.json",
        "/livez",
        "/readyz",
        "/healthz",
        "other",
    }


def test_with_several_workers_the_numbers_of_all_are_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    worker = "from service.metrics import Metrics; Metrics().observe_request('/predict', 200, 0.1)"
    for _ in range(2):
        subprocess.run([sys.executable, "-c", worker], check=True, cwd=Path(__file__).parents[2])
    found = samples(metrics.exposition().decode())
    assert found['tandem_requests_total{route="/predict",status="200"}'] == 2
    assert found['tandem_request_seconds_sum{route="/predict"}'] == pytest.approx(0.2)
