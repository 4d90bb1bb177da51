"""What a request costs is read from wrk and the process table, and failures are never a cost."""

import pytest

from loadtests.load.closed_loop import CostError, read_report

REPORT = """Running 10s test @ http://127.0.0.1:3000/v1/predict
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     5.10ms    1.00ms  20.00ms   90.00%
  Latency Distribution
     50%    4.90ms
     75%    5.50ms
     90%  730.00us
     99%    1.20s
  20000 requests in 10.00s, 9.00MB read
Requests/sec:   2000.00
Transfer/sec:      0.90MB
"""


def test_the_cost_is_the_servers_cpu_time_over_the_requests() -> None:
    cost = read_report(REPORT, cpu_s=10.0)
    assert cost.cpu_us == pytest.approx(500)
    assert (cost.requests, cost.requests_per_s) == (20000, 2000.0)
    assert (cost.p50_ms, cost.p99_ms) == (4.9, 1200.0)


@pytest.mark.parametrize(
    "line", ["  Non-2xx or 3xx responses: 7", "  Socket errors: connect 0, read 3, write 0, timeout 0"]
)
def test_a_run_with_failures_has_no_cost(line: str) -> None:
    with pytest.raises(CostError, match=line.strip()):
        read_report(f"{REPORT}{line}\n", cpu_s=1.0)


def test_a_report_that_is_not_wrks_is_an_error() -> None:
    with pytest.raises(CostError, match="nothing like"):
        read_report("no such thing", cpu_s=1.0)
