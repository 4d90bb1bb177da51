"""A deadline holds wherever the time goes: a slow body, a full queue, a slow decode; what expired is not begun."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from tests.chaos.inputs.photos import photo
from tests.chaos.rig.reliability import Reliability
from tests.chaos.rig.servers import Server, serving, until
from tests.chaos.rig.steady_load import Plan, Sample, load, outcomes, run
from tests.tiny_bundle import solid_image

BUDGETS_MS = (1, 10, 50, 100)
OVERTIME_MS = 100.0
EXPIRED = {"429": "overloaded", "504": "deadline_exceeded"}
REPEATS = 5
QUEUED = 120
PATIENT_MS = 60_000
"""The server's own deadline, so that only what a test asks for expires."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("deadline"), workers=1, deadline_ms=PATIENT_MS) as started:
        warm = started.predict(photo(1024, 768))
        assert warm.status == 200, warm
        yield started


def overtime_ms(samples: list[Sample], budget_ms: int) -> float:
    """By how much the latest answer came after its deadline; all must be refusals."""
    assert set(outcomes(samples)) <= set(EXPIRED), outcomes(samples)
    assert all(EXPIRED[sample.outcome] in sample.answer for sample in samples)
    return max((sample.done - sample.sent) * 1000 for sample in samples) - budget_ms


def one_by_one(server: Server, folder: Path, image: bytes, budget_ms: int) -> list[Sample]:
    """Requests with a deadline, `REPEATS` of them one after another."""
    body = folder / f"body-{budget_ms}"
    body.write_bytes(image)
    plan = Plan(server.port, (str(body),), connections=1, rate=2.0, seconds=REPEATS / 2, timeout_ms=budget_ms)
    return run(folder, plan)


def check(reliability: Reliability, where: str, late_ms: dict[int, float]) -> None:
    met = max(late_ms.values()) <= OVERTIME_MS
    measured = ", ".join(f"{budget} ms: {late:+.0f} ms" for budget, late in late_ms.items())
    reliability.record(
        f"deadline with {where}",
        f"504 or 429 within +{OVERTIME_MS:.0f} ms",
        f"latest of {REPEATS} after its deadline of {measured}",
        met,
    )
    assert met, late_ms


@pytest.mark.chaos
def test_a_slow_body_is_given_up_at_the_deadline(reliability: Reliability, server: Server) -> None:
    image = photo(1024, 768)
    late_ms = {}
    for budget_ms in BUDGETS_MS:
        lines = [
            "POST /v1/predict HTTP/1.1",
            "Host: x",
            "Content-Type: image/jpeg",
            f"Content-Length: {len(image)}",
            f"X-Request-Timeout-Ms: {budget_ms}",
        ]
        late = []
        for _ in range(REPEATS):
            with server.connect(timeout_s=5.0) as connection:
                began = time.monotonic()
                connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + image[: len(image) // 2])
                try:
                    answer = connection.recv(65536)
                    late.append((time.monotonic() - began) * 1000 - budget_ms)
                    assert answer.startswith((b"HTTP/1.1 504 ", b"HTTP/1.1 429 ")), answer[:200]
                    assert b"connection: close" in answer.lower(), "half a body was read, so the connection must end"
                    while connection.recv(65536):
                        pass
                except TimeoutError:
                    late.append(float("inf"))
        late_ms[budget_ms] = max(late)
    check(reliability, "a body that stops half-way", late_ms)


@pytest.mark.chaos
def test_a_slow_decode_is_given_up_at_the_deadline(reliability: Reliability, server: Server, tmp_path: Path) -> None:
    slow = photo(5000, 5000, format_="WEBP")
    began = time.monotonic()
    assert server.predict(slow).status == 200
    assert time.monotonic() - began > 2 * max(BUDGETS_MS) / 1000, "the image is not slow enough for this test"
    late_ms = {budget: overtime_ms(one_by_one(server, tmp_path, slow, budget), budget) for budget in BUDGETS_MS}
    check(reliability, "an image that takes longer to decode", late_ms)


def in_a_full_queue(
    server: Server, folder: Path, budgets_ms: Sequence[int]
) -> tuple[dict[int, float], int, float, float]:
    """By deadline, how late its refusals were behind large photos; how many expired, were decoded, were embedded."""
    late_ms, expired, decoded, embedded = {}, 0, 0.0, 0.0
    background, probe = folder / "background", folder / "probe"
    background.write_bytes(photo(3072, 2304))
    probe.write_bytes(photo(1024, 768))
    for budget in budgets_ms:
        until(lambda: server.metric("tandem_queue_images") == 0, 10.0, "the queue is empty")
        before = work_done(server)
        crowd = Plan(server.port, (str(background),), connections=QUEUED, rate=QUEUED * 10, seconds=0.1, give_up_s=60.0)
        hurried = Plan(
            server.port,
            (str(probe),),
            connections=REPEATS * 4,
            rate=REPEATS * 40,
            seconds=0.1,
            delay_s=0.3,
            timeout_ms=budget,
        )
        samples = run(folder, crowd, hurried)
        late = [sample for sample in samples if sample.plan == 1]
        patient = [sample for sample in samples if sample.plan == 0]
        assert set(outcomes(patient)) == {"200"}, outcomes(patient)
        assert max(s.done for s in patient) > max(s.done for s in late), "the queue was not full for long enough"
        late_ms[budget] = overtime_ms(late, budget)
        expired += len(late)
        after = work_done(server)
        decoded += after[0] - before[0] - len(patient)
        embedded += after[1] - before[1] - len(patient)
    return late_ms, expired, decoded, embedded


@pytest.mark.alone
def test_what_expired_in_a_full_queue_is_refused_and_not_begun(server: Server, tmp_path: Path) -> None:
    _, expired, *begun = in_a_full_queue(server, tmp_path, BUDGETS_MS[-1:])
    assert expired
    assert begun == [0, 0]


@pytest.mark.chaos
def test_a_full_queue_is_left_at_the_deadline(reliability: Reliability, server: Server, tmp_path: Path) -> None:
    late_ms, expired, decoded, embedded = in_a_full_queue(server, tmp_path, BUDGETS_MS)
    reliability.record(
        "deadline: expired work never starts",
        "0 images decoded or embedded after their deadline",
        f"{decoded:.0f} decoded, {embedded:.0f} embedded of {expired} that expired behind {QUEUED} photos",
        decoded == embedded == 0,
    )
    check(reliability, f"{QUEUED} photos of 3072 x 2304 in the queue", late_ms)
    assert (decoded, embedded) == (0, 0)


def work_done(server: Server) -> tuple[float, float]:
    """Images decoded, and images embedded."""
    return server.metric("tandem_stage_seconds_count", stage="decode"), server.metric("tandem_batch_images_sum")


@pytest.mark.chaos
def test_expired_work_costs_no_computation(tmp_path: Path, server: Server) -> None:
    """What the metrics say is not begun does not use the processor, either."""
    background, probe = tmp_path / "background", tmp_path / "probe"
    background.write_bytes(photo(3072, 2304))
    probe.write_bytes(photo(3072, 2304, seed=1))
    crowd = Plan(server.port, (str(background),), connections=40, rate=400, seconds=0.1, give_up_s=60.0)
    hurried = Plan(
        server.port, (str(probe),), connections=200, rate=400, seconds=0.1, delay_s=0.2, timeout_ms=50, give_up_s=30.0
    )

    def cpu_s(*plans: Plan) -> float:
        before = processor_s(server)
        run(tmp_path, *plans)
        return processor_s(server) - before

    alone_s = cpu_s(crowd)
    both_s = cpu_s(crowd, hurried)
    assert both_s < 1.5 * alone_s, f"40 photos: {alone_s:.2f} s; with 40 more that expired: {both_s:.2f} s"


def processor_s(server: Server) -> float:
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in server.workers())


@pytest.mark.parametrize("value", ["0", "-5", "1.5", "1e3", "abc", "600001", "", "99999999999999999999", "10, 20"])
def test_a_timeout_that_is_none_is_a_bad_request(value: str, server: Server) -> None:
    answer = server.predict(solid_image(128), {"X-Request-Timeout-Ms": value})
    assert (answer.status, answer.code) == (400, "bad_request"), answer


@pytest.mark.chaos
def test_a_caller_cannot_lengthen_the_deadline(tmp_path: Path) -> None:
    with serving(tmp_path, workers=1, deadline_ms=300) as server, server.connect(timeout_s=5.0) as connection:
        began = time.monotonic()
        connection.sendall(
            b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 100\r\n"
            b"X-Request-Timeout-Ms: 60000\r\n\r\n"
        )
        assert connection.recv(65536).startswith(b"HTTP/1.1 504 ")
        assert 0.3 <= time.monotonic() - began <= 0.3 + OVERTIME_MS / 1000


@pytest.mark.chaos
def test_good_requests_keep_flowing_while_others_expire(tmp_path: Path, server: Server) -> None:
    image = tmp_path / "small"
    image.write_bytes(solid_image(128))
    slow = tmp_path / "slow"
    slow.write_bytes(photo(3072, 2304))
    good = Plan(server.port, (str(image),), connections=8, rate=50, seconds=3.0)
    doomed = Plan(server.port, (str(slow),), connections=50, rate=20, seconds=3.0, timeout_ms=5)
    with load(tmp_path, good, doomed) as generator:
        samples = generator.wait()
    assert set(outcomes([s for s in samples if s.plan == 0])) == {"200"}
    assert set(outcomes([s for s in samples if s.plan == 1])) <= {"429", "504"}
