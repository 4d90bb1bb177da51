"""The table of promises: what a session records is what it writes, failures included."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.chaos.rig.reliability import ROOT, Reliability

SESSION = """
def test_keeps(reliability):
    reliability.record("bounded | memory", "≤ 16 MiB", "3 MiB\\n(n = 200)", True)

def test_misses(reliability):
    reliability.record("no crash", "0", "1 of 5000", False)
    assert False

def test_breaks_before_it_measures(reliability):
    raise OSError
"""


def test_a_session_writes_every_row_and_every_test_that_failed(tmp_path: Path) -> None:
    (tmp_path / "test_session.py").write_text(SESSION)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.chaos.rig.reliability", "-c", "/dev/null"]
    table = tmp_path / "docs" / "table.md"
    arguments = ["--rootdir", str(tmp_path), "--reliability", str(table), str(tmp_path)]
    outcome = subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert outcome.returncode == 1, outcome.stdout
    written = table.read_text()
    assert "| bounded \\| memory | ≤ 16 MiB | 3 MiB (n = 200) | met |\n" in written
    assert "| no crash | 0 | 1 of 5000 | **missed** |\n" in written
    assert "- Outcome: 1 of 2 promises met\n" in written
    failed = written.partition("failed in this run:")[2]
    assert [name in failed for name in ("test_keeps", "test_misses", "test_breaks_before")] == [False, True, True]


def test_the_header_names_machine_versions_commit_and_command() -> None:
    text = Reliability().document(["tests/chaos", "-m", "chaos or not chaos"])
    for word in ("cores of", "Python 3", "bentoml 1.", "commit ", "UTC", "pytest tests/chaos -m 'chaos or not chaos'"):
        assert word in text
