"""What a figure has to name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from training.compare.report import hardware as module


def test_processor_and_cores_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CPU_INFO", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Quick 9000\n")
    assert module.hardware() == f"Quick 9000, {os.cpu_count()} cores"


def test_another_system_is_named_by_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CPU_INFO", tmp_path / "missing")
    assert module.hardware().endswith(f", {os.cpu_count()} cores")
    assert not module.hardware().startswith(",")


def test_the_libraries_are_named() -> None:
    assert {"python", "torch", "scikit-learn", "scikit-image", "onnxruntime"} <= set(module.versions())
