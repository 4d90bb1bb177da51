"""`models.runtime.cores`: a container's quota counts where it is less than the machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from models.runtime.cores import available_cores


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("max 100000", 3), ("200000 100000", 2), ("50000 100000", 1), ("900000 100000", 3)],
    ids=["no quota", "two cores", "half a core", "more than the affinity"],
)
def test_the_lesser_of_affinity_and_quota_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, cores: int
) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(f"{quota}\n")
    monkeypatch.setattr("models.runtime.cores._CPU_QUOTA", file)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    assert available_cores() == cores
