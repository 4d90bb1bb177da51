"""promise, required and measured figure ──▶ one row of `docs/reliability.md`, written from the run itself.

A test records what it measured with the fixture `reliability` before it asserts that the promise was met, so that a
promise that was missed is in the table, too. `--reliability FILE` writes the table when the session ends.
"""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pytest

from loadtests.load import machine

ROOT = Path(__file__).parents[3]
_DEPENDENCIES = ("bentoml", "uvicorn", "starlette", "onnxruntime", "pillow", "simplejpeg")


@dataclass(frozen=True, slots=True)
class Row:
    """One promise and what became of it."""

    promise: str
    required: str
    measured: str
    met: bool

    def as_markdown(self) -> str:
        cells = (self.promise, self.required, self.measured, "met" if self.met else "**missed**")
        return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


@dataclass
class Reliability:
    """The rows of a session, in the order in which they were measured, and the tests that failed."""

    rows: list[Row] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    load_before: tuple[float, float, float] = field(default_factory=os.getloadavg)

    def record(self, promise: str, required: str, measured: str, met: bool) -> None:
        """Adds a row; the test asserts `met` after it.

        Args:
            promise: what is promised, in a few words: "overload: goodput at 3 x capacity".
            required: the figure that keeps the promise, with its unit: "≥ 90 % of peak".
            measured: the figure that was measured, with its unit and its n: "96 % (104.2 of 108.5 requests/s, 20 s)".
            met: whether it was kept.
        """
        self.rows.append(Row(promise, required, measured, bool(met)))

    def document(self, arguments: Sequence[str]) -> str:
        """The whole of `docs/reliability.md`; `arguments` are those that pytest was given."""
        met = sum(row.met for row in self.rows)
        minutes = (datetime.now(UTC) - self.started).total_seconds() / 60
        lines = [
            "# Reliability: what is promised, and what a run of the tests measured",
            "",
            "Written by `make chaos` from its own run; do not edit. Each row is measured by a test in `tests/chaos/`,",
            "most against the service as `bentoml serve` runs it, over loopback, the load generator on the same cores.",
            "",
            f"- Hardware: {machine.describe()}; load average before the run {self.load_before[0]:.1f}",
            f"- System: {_system()}; {', '.join(f'{name} {version(name)}' for name in _DEPENDENCIES)}",
            f"- Run: {self.started:%Y-%m-%d %H:%M} UTC, {minutes:.0f} minutes, commit {_commit()}",
            f"- Command: `{shlex.join(['python', '-m', 'pytest', *arguments])}`",
            f"- Outcome: {met} of {len(self.rows)} promises met",
            "",
            "| promise | required | measured | |",
            "|---|---|---|---|",
            *(row.as_markdown() for row in self.rows),
        ]
        if self.failed:
            lines += ["", "Tests that failed in this run:", "", *(f"- `{name}`" for name in self.failed)]
        return "\n".join(lines) + "\n"


@pytest.fixture
def reliability(request: pytest.FixtureRequest) -> Reliability:
    """Takes the rows of the table; see `Reliability.record`."""
    return request.config.stash[_KEY]


_KEY = pytest.StashKey[Reliability]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--reliability`."""
    parser.addoption("--reliability", metavar="FILE", type=Path, help="write the table of promises to this file")


def pytest_configure(config: pytest.Config) -> None:
    """Begins a session's table."""
    config.stash[_KEY] = Reliability()
    config.pluginmanager.register(_Failures(config.stash[_KEY]), "reliability-failures")


class _Failures:
    """Notes tests that fail: one that breaks before it measures would otherwise just lack a row."""

    def __init__(self, table: Reliability) -> None:
        self._table = table

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and report.nodeid not in self._table.failed:
            self._table.failed.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Writes the table, if that was asked for."""
    file: Path | None = session.config.getoption("--reliability")
    table = session.config.stash[_KEY]
    if file is not None and (table.rows or table.failed):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(table.document(session.config.invocation_params.args))


def _system() -> str:
    release = Path("/etc/os-release")
    lines = release.read_text().splitlines() if release.is_file() else []
    named = [line.partition("=")[2].strip('"') for line in lines if line.startswith("PRETTY_NAME=")]
    name = named[0] if named else platform.system()
    return f"{name}, Linux {platform.release()}" if platform.system() == "Linux" else name


def _commit() -> str:
    git = ["git", "-C", str(ROOT)]
    head = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False)
    if head.returncode != 0:
        return "unknown"
    status = [*git, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/reliability.md"]
    changed = subprocess.run(status, capture_output=True, text=True, check=False).stdout
    return head.stdout.strip() + (" with uncommitted changes" if changed.strip() else "")
