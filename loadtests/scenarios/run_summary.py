"""Figures of a load test ──▶ a table, and JSON."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

COLUMNS = ("requests", "requests/s", "p50 ms", "p95 ms", "p99 ms", "failures")


@dataclass(frozen=True)
class Row:
    """Requests of one kind, or of all kinds.

    A failure is no response, another status than 200, or a wrong answer. Latencies are times to the last byte of the
    response, milliseconds, failures included.
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
        rows: One for each kind of request.
        total: All requests.
        elapsed_s: Time from the first user's start to the last user's end.
        accuracy: Share of the images sent one by one before the load that got the data set's label, 0 to 1.
        images: Number of these images.
        server_cpu_ms: CPU time of the service's process tree for one request, milliseconds; None if not measured.
        errors: Texts of the failures with their counts, the most frequent first.
        conditions: What was run on which machine.
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
    """Read what ``write_summary`` wrote."""
    content = json.loads(path.read_text())
    rows = tuple(Row(**row) for row in content.pop("rows"))
    errors = tuple((text, count) for text, count in content.pop("errors"))
    return Summary(rows=rows, total=Row(**content.pop("total")), errors=errors, **content)


def table(summary: Summary) -> str:
    """Return a summary as text."""
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
