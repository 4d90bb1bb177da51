"""Readings along an axis → tables and sections of ``docs/benchmarks.md``."""

from collections.abc import Mapping, Sequence

from loadtests.bench import bulk, growth, measurement
from loadtests.bench.readings import Readings
from loadtests.bench.results.benchmark_page import table
from loadtests.bench.results.results_table import figure, number
from loadtests.load import run_conditions as circumstances

BULK_WORDS = (
    "Each request carries several images in one body. *Work alone* is decoding, embedding and deciding as many images "
    "at a time, in as many processes, with no server around them: the most that any server can do."
)
CONNECTIONS_WORDS = (
    f"Throughput is held against {growth.KEPT_SHARE:.0%} of the greatest that any smaller number of connections, or "
    "this one, had."
)
TREES_WORDS = "The same embedder with heads of ever more trees, all classes together; 16 connections."


def section(title: str, conditions: Mapping[str, str], parts: Sequence[str]) -> str:
    """Write a section: its conditions, and then its parts."""
    return "\n\n".join([f"## {title}", circumstances.as_markdown(conditions), *parts])


def part(heading: str, words: str, picture: str, figures: str) -> str:
    """Write one part of a section: what was done, its plot, its table; the plot's path is as seen from the page."""
    return f"### {heading}\n\n{words}\n\n![{heading}]({picture})\n\n{figures}"


def images(readings: Readings, forms: Sequence[str]) -> str:
    """Lay out images a second and their cost, for each number of images a request."""
    header = ["images a request"]
    for form in forms:
        header += [f"{form}, {bulk.IMAGES_PER_S}", "of work alone", bulk.CPU_US_IMAGE]
    header += [f"{bulk.WORK_ALONE}, {bulk.IMAGES_PER_S}", bulk.CPU_US_IMAGE]
    rows = []
    for count in readings.xs(bulk.WORK_ALONE):
        alone = readings.spread(bulk.WORK_ALONE, bulk.IMAGES_PER_S, count)
        row = [f"{count:.0f}"]
        for form in forms:
            spread = readings.spread(form, bulk.IMAGES_PER_S, count)
            share = f"{spread.median / alone.median:.0%}" if spread and alone else "-"
            row += [figure(spread), share, figure(readings.spread(form, bulk.CPU_US_IMAGE, count))]
        rows.append([*row, figure(alone), figure(readings.spread(bulk.WORK_ALONE, bulk.CPU_US_IMAGE, count))])
    return table(header, rows)


def connections(readings: Readings) -> str:
    """Lay out throughput, what it is held against, and latency, for each number of connections."""
    header = ["connections", measurement.REQUESTS_PER_S, f"{growth.KEPT_SHARE:.0%} of the peak so far", "kept"]
    rows = []
    for count, median, wanted in growth.kept(readings):
        spread = figure(readings.spread(growth.CONNECTIONS, measurement.REQUESTS_PER_S, count))
        others = _others(readings, growth.CONNECTIONS, count)
        rows.append([f"{count:.0f}", spread, number(wanted), "yes" if median >= wanted else "**no**", *others])
    return table([*header, measurement.CPU_US, measurement.CLOSED_P50_MS, measurement.CLOSED_P99_MS], rows)


def trees(readings: Readings) -> str:
    """Lay out throughput, cost and latency, for each number of trees."""
    header = [
        "trees",
        measurement.REQUESTS_PER_S,
        measurement.CPU_US,
        measurement.CLOSED_P50_MS,
        measurement.CLOSED_P99_MS,
    ]
    rows = []
    for count in readings.xs(growth.TREES):
        spread = figure(readings.spread(growth.TREES, measurement.REQUESTS_PER_S, count))
        rows.append([f"{count:,.0f}", spread, *_others(readings, growth.TREES, count)])
    return table(header, rows)


def _others(readings: Readings, subject: str, x: float) -> list[str]:
    quantities = (measurement.CPU_US, measurement.CLOSED_P50_MS, measurement.CLOSED_P99_MS)
    return [figure(readings.spread(subject, quantity, x)) for quantity in quantities]
