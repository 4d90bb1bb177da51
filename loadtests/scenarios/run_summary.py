"""What a load test measured → a short table for a person, JSON for a program."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

COLUMNS = ("requests", "requests/s", "p50 ms", "p95 ms", "p99 ms", "failures")


@dataclass(frozen=True)
class Row:
    """Requests of one kind, or of all kinds.

    Attributes:
        name: Kind of request.
        requests: How many were answered or failed.
        failures: How many of these failed: no answer, another status than 200, or a wrong answer.
        requests_per_s: Their rate over the whole run.
        p50_ms: Median time to the last byte of the answer, milliseconds; failed requests count.
        p95_ms: 95th percentile of the same.
        p99_ms: 99th percentile of the same.
    """

    name: str
    requests: int
    failures: int
    requests_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Summary:
    """One load test.

    Attributes:
        rows: One for each kind of request that was sent.
        total: All requests.
        elapsed_s: From the first user's start to the last user's end, seconds.
        accuracy: Share of the images, sent one by one before the load, whose label is the data set's, 0 to 1.
        images: How many images that was.
        server_cpu_ms: CPU time of the service's process tree per request of the load, milliseconds of one
            core; None where the process is not known.
        errors: Texts of the failures with their counts, the most frequent first.
        conditions: What was run on which machine; empty until it is known.
    """

    rows: tuple[Row, ...]
    total: Row
    elapsed_s: float
    accuracy: float
    images: int
    server_cpu_ms: float | None
    errors: tuple[tuple[str, int], ...]
    conditions: str = ""

    @property
    def failed_share(self) -> float:
        """Share of the requests that failed, 0 to 1."""
        return self.total.failures / self.total.requests


def write_summary(summary: Summary, path: Path) -> None:
    """Write a summary as JSON."""
    path.write_text(json.dumps(asdict(summary), indent=2) + "\n")


def read_summary(path: Path) -> Summary:
    """Read what ``write_summary`` wrote.

    Raises:
        FileNotFoundError: There is no such file.
    """
    content = json.loads(path.read_text())
    rows = tuple(Row(**row) for row in content.pop("rows"))
    errors = tuple((text, count) for text, count in content.pop("errors"))
    return Summary(rows=rows, total=Row(**content.pop("total")), errors=errors, **content)


def table(summary: Summary) -> str:
    """Lay a summary out as text, without a line end."""
    rows = [*summary.rows, summary.total]
    width = max(len(row.name) for row in rows)
    lines = [" " * width + "".join(f"{column:>12}" for column in COLUMNS)]
    for row in rows:
        figures = [f"{row.requests_per_s:.1f}", f"{row.p50_ms:.1f}", f"{row.p95_ms:.1f}", f"{row.p99_ms:.1f}"]
        cells = [str(row.requests), *figures, str(row.failures)]
        lines.append(f"{row.name:<{width}}" + "".join(f"{cell:>12}" for cell in cells))
    cpu = "not measured" if summary.server_cpu_ms is None else f"{summary.server_cpu_ms:.3f} ms per request"
    lines.append(f"server CPU: {cpu}")
    lines.append(f"accuracy: {summary.accuracy:.4f} over {summary.images} images sent one by one")
    lines += [f"failed {count} times: {text}" for text, count in summary.errors]
    return "\n".join(lines)
