"""`tools.mutation_score` on a small project: a function that a test checks, and one that none does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "mutation_score.py"
SETTINGS = '[tool.mutmut]\nsource_paths = ["room"]\npytest_add_cli_args_test_selection = ["tests"]\n'
TESTED = "def add(a, b):\n    return a + b\n\n\n"
UNTESTED = "def double(a):\n    return a * 2\n"
TEST = "from room.sums import add\n\n\ndef test_sum():\n    assert add(1, 2) == 3\n"

pytestmark = pytest.mark.slow


def scored(folder: Path, code: str, test: str) -> subprocess.CompletedProcess[str]:
    files = {"pyproject.toml": SETTINGS, "room/__init__.py": "", "room/sums.py": code, "tests/test_sums.py": test}
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    command = [sys.executable, str(TOOL), "--sample", "100"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_changes_that_a_test_notices_count_and_the_others_are_named(tmp_path: Path) -> None:
    run = scored(tmp_path, TESTED + UNTESTED, TEST)
    assert run.returncode == 0, run.stderr
    *_, score = run.stdout.splitlines()
    assert score.startswith("mutation score: 33.3% of 3 mutants")
    assert "room.sums.x_double__mutmut_1" in run.stdout.splitlines()
    assert "room.sums.x_add__mutmut_1" not in run.stdout.splitlines()


def test_tests_that_fail_without_a_change_give_no_score(tmp_path: Path) -> None:
    run = scored(tmp_path, TESTED, TEST.replace("== 3", "== 4"))
    assert run.returncode == 1
    assert "mutation score" not in run.stdout
