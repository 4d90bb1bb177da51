"""The summary of the requests that a recorder gets."""

import pytest

from loadtests.inputs.fashion_images import LabelledImage
from loadtests.scenarios.recorder import Recorder
from loadtests.scenarios.reference_answers import Reference

REFERENCE = Reference((LabelledImage(b"", "image/png", "Bag"), LabelledImage(b"", "image/png", "Bag")), ("Bag", "Coat"))


def test_a_run_is_summed_up_by_kind_and_in_all() -> None:
    cpu_s = iter([10.0, 10.5])
    recorder = Recorder(cpu_seconds=lambda: next(cpu_s))
    recorder.start()
    for latency_ms in range(1, 100):
        recorder.record("one PNG", latency_ms, None)
    recorder.record("form", 1000.0, ValueError("status 500"))
    recorder.stop()
    summary = recorder.summary(REFERENCE)
    assert summary is not None
    assert [(row.name, row.requests, row.failures) for row in summary.rows] == [("form", 1, 1), ("one PNG", 99, 0)]
    assert summary.rows[1].p50_ms == 50.0
    assert summary.rows[1].p99_ms == pytest.approx(98.02)
    assert (summary.total.requests, summary.total.failures) == (100, 1)
    assert summary.total.p50_ms == 50.5
    assert summary.total.requests_per_s == pytest.approx(100 / summary.elapsed_s)
    assert summary.server_cpu_ms == 5.0
    assert summary.errors == (("status 500", 1),)
    assert (summary.accuracy, summary.images) == (0.5, 2)


def test_cpu_is_left_out_where_the_process_is_not_known() -> None:
    recorder = Recorder(cpu_seconds=None)
    recorder.start()
    recorder.record("one PNG", 2.0, None)
    recorder.stop()
    summary = recorder.summary(REFERENCE)
    assert summary is not None
    assert summary.server_cpu_ms is None


def test_a_run_without_requests_has_no_summary() -> None:
    recorder = Recorder(cpu_seconds=None)
    recorder.start()
    recorder.stop()
    assert recorder.summary(REFERENCE) is None
