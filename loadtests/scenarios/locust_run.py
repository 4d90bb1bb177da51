"""Plan of a load test ──▶ locust, headless, in a process of its own ──▶ the summary of the run."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from loadtests.load.server_process import REPOSITORY, last_lines
from loadtests.scenarios.run_summary import Summary, read_summary

SUMMARY_FILE = "summary.json"
LOCUSTFILE = Path(__file__).with_name("locustfile.py")
# Longer than the 10 s that a request may take (users.py), so that requests in progress at the end are checked too.
STOP_TIMEOUT_S = 15
USERS: dict[str, list[str]] = {
    "mixed": [],  # all of them
    "single": ["SingleImageUser"],
    "batch": ["BatchUser"],
    "json": ["JsonUser"],
    "photo": ["PhotoUser"],
}


class LocustError(Exception):
    """Locust failed, so that there is no summary."""


@dataclass(frozen=True)
class Plan:
    """What to send, and for how long.

    Attributes:
        users: Number of users at the peak.
        seconds: Length of the load.
        shape: How the number of users changes: ``constant`` or a name in ``load_shapes.SHAPES``.
        traffic: Which users: a name in ``USERS``.
        images: Number of different test images to send.
    """

    users: int
    seconds: int
    shape: str
    traffic: str
    images: int

    def describe(self) -> str:
        """Return the plan in a few words."""
        return f"{self.users} users, {self.shape}, {self.traffic} traffic, {self.seconds} s"


def locust_command(plan: Plan, host: str, out: Path, server_pid: int | None) -> list[str]:
    """Return the command line that runs a plan against ``host`` and writes its files to ``out``."""
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary", "--host", host]
    command += ["--users", str(plan.users), "--spawn-rate", str(plan.users)]
    command += ["--run-time", f"{plan.seconds}s", "--stop-timeout", str(STOP_TIMEOUT_S)]
    command += ["--html", str(out / "report.html"), "--csv", str(out / "locust")]
    command += ["--exit-code-on-error", "0", "--summary-file", str(out / SUMMARY_FILE)]
    command += ["--shape", plan.shape, "--images", str(plan.images)]
    if server_pid is not None:
        command += ["--server-pid", str(server_pid)]
    return command + USERS[plan.traffic]


def run_locust(plan: Plan, host: str, out: Path, server_pid: int | None) -> Summary:
    """Run a plan; locust's HTML, CSV and log and ``summary.json`` are in ``out`` afterwards.

    Args:
        plan: What to send.
        host: Base URL of the service.
        out: Existing folder.
        server_pid: Root of the service's process tree, to measure its CPU time; None if it is not known.

    Raises:
        LocustError: Locust failed; with the last lines of its log.
    """
    out = out.resolve()
    (out / SUMMARY_FILE).unlink(missing_ok=True)
    command, log = locust_command(plan, host, out, server_pid), out / "locust.log"
    with log.open("w") as output:
        ended = subprocess.run(
            command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    if ended.returncode != 0:
        raise LocustError(f"locust ended with status {ended.returncode}; {log} ends with:\n{last_lines(log)}")
    return read_summary(out / SUMMARY_FILE)
