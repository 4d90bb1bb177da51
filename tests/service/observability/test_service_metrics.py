"""What Prometheus sees: names, and labels that no caller can multiply."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from models.imaging.decode import WARNINGS
from models.runtime.engine import Engine
from service import coordination
from service.observability.metric_families import FAMILIES
from service.observability.service_metrics import Metrics, exposition
from service.problems import STATUS
from tests.cpu_cost import relative_cost
from tests.models.encoded import encode, picture
from tests.service.serving import MID, PNG, TEXT, form, serving

ROOT = Path(__file__).parents[3]
PATIENCE_S = 10.0

# A worker that counts what a request costs, says so, and lives until its input ends.
WORKER = """
import sys
from service.observability.service_metrics import Metrics
metrics = Metrics()
metrics.start(workers=2, deadline_s=10.0)
metrics.set_model("tiny@1", "cpu", "fp32")
metrics.sample({"tandem_ready": lambda: 1, "tandem_queue_images": lambda: 5})
metrics.observe_request("/predict", 200, 0.1)
print("counted", flush=True)
sys.stdin.read()
"""


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

    assert families(asyncio.run(test())) >= {
        "tandem_requests",
        "tandem_request_seconds",
        "tandem_images",
        "tandem_batch_images",
        "tandem_stage_seconds",
    }


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


def test_mended_images_are_counted_by_the_kind_of_damage(engine: Engine) -> None:
    jpeg = encode(picture(), "JPEG")[:-2]

    async def test() -> tuple[dict[str, float], dict[str, float]]:
        async with serving(engine) as (client, _):
            before = samples((await client.get("/metrics")).text)
            await client.post("/v1/predict", **form([jpeg, MID, jpeg + bytes(99)]))
            return before, samples((await client.get("/metrics")).text)

    before, after = asyncio.run(test())
    kinds = {
        name: value - before.get(name, 0.0) for name, value in after.items() if name.startswith("tandem_image_warnings")
    }
    assert {name for name, count in kinds.items() if count} == {
        'tandem_image_warnings_total{kind="no_end"}', 'tandem_image_warnings_total{kind="stray_bytes"}'
    }  # fmt: skip
    assert kinds['tandem_image_warnings_total{kind="no_end"}'] == 2


def test_images_that_threads_mend_at_once_are_all_counted(alone: Metrics) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(alone.image_warned, ["no_end", "stray_bytes"] * 4000))
    assert shown(alone)['tandem_image_warnings_total{kind="no_end"}'] == 4000


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
    assert 'tandem_requests_total{route="other",status="404"}' in after
    assert not any("random" in name for name in after)


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Metrics]:
    """The metrics of a server of one process: this one."""
    monkeypatch.setenv(coordination.VARIABLE, str(tmp_path))
    metrics = Metrics()
    metrics.start(workers=3, deadline_s=10.0)
    yield metrics
    metrics.close()


def shown(metrics: Metrics) -> dict[str, float]:
    return samples(metrics.exposition().decode())


def test_metrics_that_count_nothing_touch_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(coordination.VARIABLE, str(tmp_path / "nowhere"))
    Metrics().close()
    assert exposition() == b""


def test_whatever_is_given_for_a_label_the_series_are_bounded(alone: Metrics) -> None:
    alone.refused("first")
    alone.count_images("first")
    before = series(alone.exposition().decode())
    for number in range(100):
        alone.refused(f"code-{number}")
        alone.count_images(f"code-{number}")
    assert series(alone.exposition().decode()) == before
    found = shown(alone)
    assert found['tandem_refusals_total{code="internal"}'] == 101
    assert found['tandem_images_total{result="internal"}'] == 101


def test_what_may_be_counted_begins_at_zero_so_that_a_first_event_is_a_rise(alone: Metrics) -> None:
    found = shown(alone)
    zeros = [f'tandem_refusals_total{{code="{code}"}}' for code in STATUS]
    zeros += [f'tandem_batches_total{{reason="{reason}"}}' for reason in ("full", "idle", "next")]
    zeros += [f'tandem_image_warnings_total{{kind="{kind}"}}' for kind in WARNINGS]
    zeros += [f'tandem_model_changes_total{{result="{result}"}}' for result in ("ok", "refused")]
    assert [found[name] for name in zeros] == [0.0] * len(zeros)
    assert (found["tandem_workers"], found["tandem_deadline_seconds"]) == (3.0, 10.0)


def test_a_histogram_counts_by_inclusive_upper_bounds(alone: Metrics) -> None:
    for size in (1, 2, 3, 5000):
        alone.observe_batch(size, "full", 0.001, 0.002)
    found = shown(alone)
    buckets = {
        bound: found[f'tandem_batch_images_bucket{{le="{bound}"}}'] for bound in ("1.0", "2.0", "1024.0", "+Inf")
    }
    assert buckets == {"1.0": 1, "2.0": 2, "1024.0": 3, "+Inf": 4}
    assert (found["tandem_batch_images_count"], found["tandem_batch_images_sum"]) == (4, 5006)
    assert found['tandem_batches_total{reason="full"}'] == 4
    assert found['tandem_stage_seconds_sum{stage="decide"}'] == pytest.approx(0.008)


def test_only_the_model_that_serves_is_shown(alone: Metrics) -> None:
    for model in ("a@1", "a@2", "a@1"):
        alone.set_model(model, "cpu", "fp32")
        alone.model_changed("ok")
        shown_models = {name: value for name, value in shown(alone).items() if name.startswith("tandem_model_info")}
        assert shown_models == {f'tandem_model_info{{device="cpu",model="{model}",precision="fp32"}}': 1.0}
    assert shown(alone)['tandem_model_changes_total{result="ok"}'] == 3


def test_a_callable_that_fails_is_not_a_number_and_costs_the_others_nothing(
    alone: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    alone.sample({"tandem_connections": lambda: 1 / 0, "tandem_buffered_bytes": lambda: 7})
    found = shown(alone)
    assert math.isnan(found["tandem_connections"])
    assert found["tandem_buffered_bytes"] == 7
    assert [record.getMessage() for record in caplog.records] == ["tandem_connections cannot be sampled"]


def test_a_name_that_is_not_sampled_is_a_mistake(alone: Metrics) -> None:
    with pytest.raises(KeyError, match="tandem_request is not sampled; known are tandem_buffered_bytes"):
        alone.sample({"tandem_request": lambda: 1})


def test_what_is_closed_stays_counted_and_may_be_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(coordination.VARIABLE, str(tmp_path))
    metrics = Metrics()
    for expected in (1, 2):
        metrics.start(workers=1, deadline_s=1.0)
        metrics.sample({"tandem_ready": lambda: 1})
        metrics.observe_request("/predict", 200, 0.1)
        metrics.observe_batch(1, "idle", 0.1, 0.1)
        found = shown(metrics)
        assert found['tandem_requests_total{route="/predict",status="200"}'] == expected
        assert found["tandem_batch_images_count"] == expected
        assert found["tandem_ready"] == 1
        metrics.close()
    found = samples(exposition().decode())
    assert found['tandem_requests_total{route="/predict",status="200"}'] == 2
    assert "tandem_ready" not in found


def worker() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "counted\n"
    return process


def end(process: subprocess.Popen[str], with_signal: int) -> None:
    process.send_signal(with_signal)
    process.communicate(timeout=PATIENCE_S)


def test_after_a_kill_the_gauges_are_those_of_the_living_and_the_counters_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(coordination.VARIABLE, str(tmp_path))
    workers = [worker(), worker()]
    try:
        found = samples(exposition().decode())
        model = 'tandem_model_info{device="cpu",model="tiny@1",precision="fp32"}'
        assert (found["tandem_ready"], found["tandem_queue_images"], found[model]) == (2, 10, 2)
        end(workers.pop(), signal.SIGKILL)
        found = samples(exposition().decode())
        assert (found["tandem_ready"], found["tandem_queue_images"], found[model]) == (1, 5, 1)
        assert found['tandem_requests_total{route="/predict",status="200"}'] == 2
        assert found["tandem_workers"] == 2
    finally:
        for process in workers:
            end(process, signal.SIGKILL)


def test_another_processes_gauges_are_sampled_without_a_scrape(alone: Metrics) -> None:
    value = 1.0
    alone.sample({"tandem_connections": lambda: value})
    value = 2.0
    deadline = time.monotonic() + PATIENCE_S
    while samples(exposition().decode())["tandem_connections"] != 2.0:  # the module's function samples nothing
        assert time.monotonic() < deadline


_MEASURED_ELSEWHERE = (
    "tandem_queue",
    "tandem_live_precision",
    "tandem_drift",
    "tandem_feedback",
    "tandem_decision",
    "tandem_shadow_seconds",
    "tandem_shadow_dropped",
)


def test_a_scrape_with_every_series_stays_cheap_after_20_crashes(alone: Metrics, tmp_path: Path) -> None:
    for route in (*(f"/{number}" for number in range(35)), "other"):
        for status in (*set(STATUS.values()), 200, 499):
            alone.observe_request(route, status, 0.1)
    alone.observe_stages(0.1, 0.1)
    alone.observe_batch(1, "idle", 0.1, 0.1)
    (mine,) = tmp_path.glob("*.tally")
    for number in range(20):
        (tmp_path / f"{number}-dead.tally").write_bytes(mine.read_bytes())
    text = alone.exposition().decode()
    cost = relative_cost(alone.exposition)
    print(f"a scrape of {text.count(chr(10))} lines after 20 crashes: {cost:,.0f} small JSON")
    assert cost < 8_000
    assert samples(text)['tandem_requests_total{route="/7",status="200"}'] == 21
    assert families(text) == set(FAMILIES) - {
        "tandem_model_info",
        *(name for name in FAMILIES if name.startswith(_MEASURED_ELSEWHERE)),
        *("tandem_requests_in_flight", "tandem_buffered_bytes", "tandem_connections"),
        *(
            "tandem_ready",
            "tandem_log_lines_dropped",
            "tandem_last_answer_timestamp_seconds",
            "tandem_cache_bytes",
            "tandem_cache_images",
        ),
    }


@pytest.mark.alone
@pytest.mark.no_cover  # which costs more than it
def test_counting_costs_a_request_less_than_two_small_json(alone: Metrics) -> None:
    def count() -> None:
        for _ in range(2000):
            alone.observe_request("/v1/predict", 200, 0.0031)
            alone.count_images("ok", 1)
            alone.observe_stages(0.0001, 0.0002)
            alone.observe_batch(1, "idle", 0.0003, 0.0001)

    cost = relative_cost(count, 2000)
    print(f"counting a request: {cost:.2f} small JSON")
    assert cost < 2


def test_with_several_workers_the_numbers_of_all_are_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(coordination.VARIABLE, str(tmp_path))
    code = "from service.observability.service_metrics import Metrics; Metrics().observe_request('/predict', 200, 0.1)"
    for _ in range(2):
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=dict(os.environ))
    found = samples(exposition().decode())
    assert found['tandem_requests_total{route="/predict",status="200"}'] == 2
    assert found['tandem_request_seconds_sum{route="/predict"}'] == pytest.approx(0.2)
