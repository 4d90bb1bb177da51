"""Readings of a comparison ──▶ its tables and its section of ``docs/benchmarks.md``."""

from collections.abc import Mapping, Sequence
from statistics import median

from loadtests.bench import benchmark, measurement
from loadtests.bench.readings import Readings, Spread
from loadtests.bench.results.benchmark_page import section, table
from loadtests.bench.systems import System
from loadtests.load.closed_loop import CPU_US, OTHER_CORES, P50_MS, P99_MS, REQUESTS_PER_S

PEAK = (CPU_US, P50_MS, P99_MS, measurement.MEMORY_MIB, measurement.START_S)
LATENCY = (
    measurement.IDLE_MS,
    *(f"{quantity} at {name}" for name in benchmark.OPEN_LOOP for quantity in ("p50 ms", "p99 ms")),
    *(f"late p99 ms at {name}" for name in benchmark.OPEN_LOOP),
)
CLOSED_LOOP_TEXT = (
    "**Closed loop**: every connection sends its next request when it has the response. CPU is that of the whole "
    "process tree; memory is the sum of its PSS after the load. *Work alone* is decoding, embedding and deciding in as "
    "many processes, with no server around them."
)


def comparison(
    title: str, picture: str, systems: Sequence[System], readings: Readings, conditions: Mapping[str, str]
) -> str:
    """Write the section of a comparison; ``picture`` is the plot's path as seen from the page."""
    parts = [
        f"![{title}]({picture})",
        CLOSED_LOOP_TEXT,
        peaks(readings),
        open_loop_text(readings),
        latencies(readings),
        other_work(readings),
        settings(systems),
    ]
    return section(title, conditions, parts)


def peaks(readings: Readings) -> str:
    """Write throughput and cost, the fastest first."""
    ranked = _ranked(readings)
    most = readings.median(ranked[0], REQUESTS_PER_S)
    rows = []
    for subject in ranked:
        share = readings.median(subject, REQUESTS_PER_S) / most
        rate, *others = figures(readings, subject, (REQUESTS_PER_S, *PEAK))
        rows.append([subject, rate, f"{share:.0%}", *others])
    return table(["", REQUESTS_PER_S, "of the most", *PEAK], rows)


def open_loop_text(readings: Readings) -> str:
    """Say how the open loop was measured, and at which requests/s."""
    rates = " and ".join(f"{rate:,.0f} ({name})" for name, rate in benchmark.open_loop_rates(readings).items())
    return (
        "**Open loop**: requests arrive at random times (Poisson), whether or not earlier ones were answered, at the "
        f"same requests/s for all systems: {rates} of the peak of {benchmark.reference(readings)}. A dash: that is "
        "above the system's own peak. Latency counts from the time at which a request was due. *Idle*: one request at "
        "a time, 20 a second. *Late* is the part of the latency that the load generator caused."
    )


def latencies(readings: Readings) -> str:
    """Write the latencies of the open loop, in the same order."""
    measured = [subject for subject in _ranked(readings) if readings.spread(subject, measurement.IDLE_MS)]
    return table(["", *LATENCY], [[subject, *figures(readings, subject, LATENCY)] for subject in measured])


def other_work(readings: Readings) -> str:
    """Say how busy the machine was with other work; empty where that was not measured."""
    cores = readings.values(OTHER_CORES) + readings.values(measurement.OPEN_LOOP_OTHER_CORES)
    if not cores:
        return ""
    return f"Other work kept {median(cores):.2f} cores busy during a measurement (median), {max(cores):.2f} at most."


def settings(systems: Sequence[System]) -> str:
    """Write the settings and versions of each system."""
    rows = []
    for each in systems:
        versions = ", ".join(f"{package} {version}" for package, version in each.versions.items())
        rows.append(f"| {each.name} | {each.settings} | {versions} |")
    return "\n".join(["| | settings | versions |", "|---|---|---|", *rows])


def figures(readings: Readings, subject: str, quantities: Sequence[str], x: float = 0) -> list[str]:
    """Write several figures of a subject, one cell each."""
    return [figure(readings.spread(subject, quantity, x)) for quantity in quantities]


def figure(spread: Spread | None) -> str:
    """Write a median and the range of its rounds; a dash where there is none."""
    if spread is None:
        return "-"
    if spread.n == 1:
        return number(spread.median)
    return f"{number(spread.median)} ({number(spread.low)}..{number(spread.high)})"


def number(value: float) -> str:
    """Write three significant digits, with commas between thousands."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _ranked(readings: Readings) -> list[str]:
    return sorted(readings.subjects, key=lambda subject: -readings.median(subject, REQUESTS_PER_S))
