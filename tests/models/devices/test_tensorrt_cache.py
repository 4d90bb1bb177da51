"""The folder for compiled engines: named for all they depend on, private, and somewhere that can be written to."""

from __future__ import annotations

import dataclasses
import logging
import os
import tempfile
from pathlib import Path

import pytest

from models.devices.tensorrt_cache import EngineKey, cache_folder

KEY = EngineKey(sha256="0123456789abcdef" * 4, tensorrt=101303, gpu="nvidia-a100-sxm4-40gb-sm80", max_batch=32)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's home directory; the temporary directory is beside it."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    return tmp_path / "home"


@pytest.fixture
def no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user whom nobody knows, as in a container."""

    def unknown() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", unknown)


def test_the_folder_lies_in_the_users_cache_and_only_they_can_write_to_it(home: Path) -> None:
    folder = cache_folder(KEY)
    assert folder is not None
    assert folder.is_relative_to(home / ".cache" / "tandem" / "tensorrt")
    assert (home / ".cache" / "tandem" / "tensorrt").stat().st_mode & 0o077 == 0
    assert list(folder.iterdir()) == []


def test_the_same_key_has_the_same_folder() -> None:
    assert cache_folder(KEY) == cache_folder(KEY)


@pytest.mark.parametrize(
    "change", [{"sha256": "f" * 64}, {"tensorrt": 101400}, {"gpu": "nvidia-l4-sm89"}, {"max_batch": 16}]
)
def test_another_model_version_gpu_or_batch_has_another_folder(change: dict[str, object]) -> None:
    assert cache_folder(dataclasses.replace(KEY, **change)) != cache_folder(KEY)


def test_another_onnxruntime_has_another_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    before = KEY.folder
    monkeypatch.setattr("models.devices.tensorrt_cache.ort.__version__", "1.99.0")
    assert KEY.folder != before


@pytest.mark.usefixtures("no_home")
def test_without_a_home_the_temporary_directory_is_used_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = cache_folder(KEY)
    assert folder is not None
    assert folder.is_relative_to(tmp_path / "tmp" / f"tandem-tensorrt-{os.geteuid()}")
    assert "no home directory" in caplog.text


def test_a_home_that_cannot_be_written_to_gives_way_to_the_temporary_directory(
    home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home.touch()  # a file, so that nothing can be made below it, whoever runs the test
    with caplog.at_level(logging.WARNING):
        folder = cache_folder(KEY)
    assert folder is not None
    assert folder.is_relative_to(tmp_path / "tmp")
    assert f"engines are kept in {folder}" in caplog.text


@pytest.mark.usefixtures("no_home")
@pytest.mark.parametrize("trap", ["others can write to it", "it is a link"])
def test_a_folder_that_others_could_have_filled_is_not_used(
    trap: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "tmp" / f"tandem-tensorrt-{os.geteuid()}"
    if trap == "it is a link":
        (tmp_path / "elsewhere").mkdir()
        root.symlink_to(tmp_path / "elsewhere")
    else:
        root.mkdir()
        root.chmod(0o777)
    assert cache_folder(KEY) is None
    assert "only its user can write to" in caplog.text
    assert "compiles its engine at every start" in caplog.text


@pytest.mark.usefixtures("no_home")
def test_where_nothing_can_be_written_to_nothing_is_kept(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    assert cache_folder(KEY) is None
    assert "compiles its engine at every start" in caplog.text
