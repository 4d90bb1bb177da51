"""Readings of a comparison → its tables and its section of ``docs/benchmarks.md``."""

from collections.abc import Mapping, Sequence
from statistics import median

from loadtests.bench import measurement
from loadtests.bench.readings import Readings, Spread
from loadtests.bench.results.benchmark_page import table
from loadtests.bench.systems import Contestant
from loadtests.load import run_conditions as circumstances

PEAK = (
    measurement.REQUESTS_PER_S,
    measurement.CPU_US,
    measurement.CLOSED_P50_MS,
    measurement.CLOSED_P99_MS,
    measurement.MEMORY_MIB,
    measurement.START_S,
)
LATENCY = (
    measurement.IDLE_MS,
    *(name(share) for share in measurement.SHARES for name in (measurement.open_p50, measurement.open_p99)),
    *(measurement.late_p99(share) for share in measurement.SHARES),
)


def section(
    title: str, picture: str, contestants: Sequence[Contestant], readings: Readings, conditions: Mapping[str, str]
) -> str:
    """Write all that a comparison found; ``picture`` is the plot's path as seen from the page."""
    return "\n\n".join(
        [
            f"## {title}",
            circumstances.as_markdown(conditions),
            f"![{title}]({picture})",
            "**Closed loop**: every connection sends its next request when it has the answer. CPU is that of the whole "
            "process tree; memory is the sum of its PSS after the load. *Work alone* is decoding, embedding and "
            "deciding in as many processes, with no server around them.",
            peaks(readings),
            "**Open loop**: requests come at random moments (Poisson) at a share of the server's own peak, whether or "
            "not earlier ones were answered; latency counts from the moment a request was due. *Idle*: one request "
            "at a time, 20 a second. Of the latency, *late* is the generator's own.",
            latencies(readings),
            disturbance(readings, (measurement.OTHERS, measurement.OPEN_OTHERS)),
            settings(contestants),
        ]
    )


def peaks(readings: Readings) -> str:
    """Lay out throughput and cost, the fastest first."""
    ceiling = max(_median(readings, subject, measurement.REQUESTS_PER_S) for subject in readings.subjects)
    ranked = sorted(readings.subjects, key=lambda subject: -_median(readings, subject, measurement.REQUESTS_PER_S))
    rows = []
    for subject in ranked:
        share = _median(readings, subject, measurement.REQUESTS_PER_S) / ceiling
        figures = [figure(readings.spread(subject, quantity)) for quantity in PEAK]
        rows.append([subject, figures[0], f"{share:.0%}", *figures[1:]])
    return table(["", PEAK[0], "of the most", *PEAK[1:]], rows)


def latencies(readings: Readings) -> str:
    """Lay out what the open loop saw, in the same order."""
    measured = [subject for subject in readings.subjects if readings.spread(subject, measurement.IDLE_MS)]
    ranked = sorted(measured, key=lambda subject: -_median(readings, subject, measurement.REQUESTS_PER_S))
    rows = [[subject, *(figure(readings.spread(subject, quantity)) for quantity in LATENCY)] for subject in ranked]
    return table(["", *LATENCY], rows)


def disturbance(readings: Readings, quantities: Sequence[str]) -> str:
    """Say how busy the machine was with other work, which the figures cannot be cleared of."""
    cores = [value for quantity in quantities for value in readings.values(quantity)]
    if not cores:
        return ""
    return f"Other work kept {median(cores):.2f} cores busy during a measurement (median), {max(cores):.2f} at worst."


def settings(contestants: Sequence[Contestant]) -> str:
    """Lay out what each server ran with."""
    rows = []
    for each in contestants:
        versions = ", ".join(f"{package} {version}" for package, version in each.versions.items())
        rows.append(f"| {each.name} | {each.settings} | {versions} |")
    return "\n".join(["| | settings | versions |", "|---|---|---|", *rows])


def figure(spread: Spread | None) -> str:
    """Write a median and the range of its rounds; a dash where there is none."""
    if spread is None:
        return "-"
    if spread.n == 1:
        return number(spread.median)
    return f"{number(spread.median)} ({number(spread.low)}..{number(spread.high)})"


def number(value: float) -> str:
    """Write three digits that count, and thousands apart."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _median(readings: Readings, subject: str, quantity: str) -> float:
    spread = readings.spread(subject, quantity)
    return spread.median if spread else 0.0
