"""Readings along an axis ──▶ tables of ``docs/benchmarks.md``."""

from collections.abc import Sequence

from loadtests.bench import bulk, growth
from loadtests.bench.readings import Readings
from loadtests.bench.results.benchmark_page import table
from loadtests.bench.results.results_table import figures, number
from loadtests.bench.work_alone import IMAGES_PER_S
from loadtests.load.closed_loop import CPU_US, P50_MS, P99_MS, REQUESTS_PER_S

BULK_TEXT = (
    "Each request carries several images in one body. *Work alone* is decoding, embedding and deciding as many images "
    "at a time, in as many processes, with no server around them: no server can do more."
)
CONNECTIONS_TEXT = (
    f"Throughput is kept if it is at least {growth.KEPT_SHARE:.0%} of the greatest at this or any smaller number of "
    "connections."
)
TREES_TEXT = "The same embedder with heads of more and more trees, all classes together; 16 connections."


def part(heading: str, text: str, picture: str, figures: str) -> str:
    """Write one part of a section: text, plot and table; the plot's path is as seen from the page."""
    return f"### {heading}\n\n{text}\n\n![{heading}]({picture})\n\n{figures}"


def images(readings: Readings, forms: Sequence[str]) -> str:
    """Write images/s and their cost, for each number of images a request."""
    quantities = (IMAGES_PER_S, bulk.CPU_US_IMAGE)
    header = ["images a request"]
    for form in forms:
        header += [f"{form}, {IMAGES_PER_S}", "of work alone", bulk.CPU_US_IMAGE]
    rows = []
    for count in readings.xs(bulk.WORK_ALONE):
        row = [f"{count:.0f}"]
        for form in forms:
            rate, cost = figures(readings, form, quantities, count)
            most = readings.median(bulk.WORK_ALONE, IMAGES_PER_S, count)
            row += [rate, f"{readings.median(form, IMAGES_PER_S, count) / most:.0%}", cost]
        rows.append(row + figures(readings, bulk.WORK_ALONE, quantities, count))
    return table([*header, f"{bulk.WORK_ALONE}, {IMAGES_PER_S}", bulk.CPU_US_IMAGE], rows)


def connections(readings: Readings) -> str:
    """Write throughput, its limit, cost and latency, for each number of connections."""
    rows = []
    for count, median, limit in growth.kept(readings):
        rate, *others = figures(readings, growth.CONNECTIONS, (REQUESTS_PER_S, CPU_US, P50_MS, P99_MS), count)
        rows.append([f"{count:.0f}", rate, number(limit), "yes" if median >= limit else "**no**", *others])
    header = ["connections", REQUESTS_PER_S, f"{growth.KEPT_SHARE:.0%} of the peak so far", "kept"]
    return table([*header, CPU_US, P50_MS, P99_MS], rows)


def trees(readings: Readings) -> str:
    """Write throughput, cost and latency, for each number of trees."""
    quantities = (REQUESTS_PER_S, CPU_US, P50_MS, P99_MS)
    counts = readings.xs(growth.TREES)
    return table(
        ["trees", *quantities],
        [[f"{count:,.0f}", *figures(readings, growth.TREES, quantities, count)] for count in counts],
    )
