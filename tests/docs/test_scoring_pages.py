"""The commands on scoring print what the pages show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT

GUIDE = re.findall(r"```console\n\$ (\.venv/bin/python .+)\n((?:.+\n)+)```", PAGES["docs/guide/scoring.md"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which the commands find what the pages name."""
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    return tmp_path


def test_the_guide_shows_what_its_commands_print(folder: Path) -> None:
    assert len(GUIDE) == 2
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for command, shown in GUIDE:
        line = command.replace(".venv/bin/python", sys.executable, 1)
        ended = subprocess.run(
            ["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, check=True, timeout=100
        )
        assert ended.stdout == shown
