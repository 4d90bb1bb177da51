"""The environment: defaults, ranges and typos; `tests/test_readme.py` compares the README's table."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from service.settings import PREFIX, Settings, SettingsError


def test_without_variables_the_documented_defaults_hold() -> None:
    settings = Settings.from_environment()
    assert settings.bundle.parts[-3:] == ("models", "store", "fashion-mnist")
    assert (settings.device, settings.precision) == ("auto", "auto")
    assert settings.max_body_bytes == 10 * 1024 * 1024
    assert settings.max_images == 256
    assert settings.workers == os.cpu_count()


def test_variables_are_read_whatever_their_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_MAX_BATCH", "7")
    monkeypatch.setenv("tandem_device", "cpu")
    settings = Settings.from_environment()
    assert (settings.max_batch, settings.device) == (7, "cpu")


@pytest.mark.parametrize("name", ["TANDEM_MAX_BODY", "TANDEM_WORKER", "tandem_devise", "TANDEM_"])
def test_a_misspelt_variable_stops_the_start_with_its_name_and_value(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "17")
    with pytest.raises(SettingsError, match=f"unknown setting {name}='17'; known are .*TANDEM_MAX_BODY_BYTES"):
        Settings.from_environment()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("device", "gpu", id="a device that does not exist"),
        pytest.param("device", "", id="an empty device"),
        pytest.param("precision", "fp8", id="a precision that does not exist"),
        pytest.param("workers", "0", id="no workers"),
        pytest.param("workers", "257", id="too many workers"),
        pytest.param("workers", "two", id="a word for a number"),
        pytest.param("workers", "1.5", id="one worker and a half"),
        pytest.param("workers", "", id="an empty number"),
        pytest.param("max_batch", "0", id="an empty batch"),
        pytest.param("max_batch", "1025", id="too large a batch"),
        pytest.param("max_queue", "0", id="no queue"),
        pytest.param("max_queue", "1000001", id="too long a queue"),
        pytest.param("deadline_ms", "0", id="no time"),
        pytest.param("deadline_ms", "600001", id="too much time"),
        pytest.param("max_body_bytes", "1023", id="too small a body"),
        pytest.param("max_body_bytes", str(1024**3 + 1), id="too large a body"),
        pytest.param("max_body_bytes", "10MiB", id="a unit in the value"),
        pytest.param("max_pixels", "0", id="no pixels"),
        pytest.param("max_pixels", "1000000001", id="too many pixels"),
        pytest.param("max_images", "0", id="no images"),
        pytest.param("max_images", "65537", id="too many images"),
    ],
)
def test_a_value_out_of_range_stops_the_start_with_name_and_value(
    field: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = PREFIX + field.upper()
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=re.escape(f"{name}={value!r}: ")):
        Settings.from_environment()


@pytest.mark.parametrize("url", ["s3://bucket/tiny", "https://models.example/tiny/2", "file:///store/tiny"])
def test_a_bundle_at_a_url_is_kept_as_it_is_written_and_has_no_path_yet(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_BUNDLE", url)
    settings = Settings.from_environment()
    assert settings.bundle == url
    with pytest.raises(SettingsError, match=f"TANDEM_BUNDLE='{url}': not downloaded"):
        settings.bundle_path  # noqa: B018


@pytest.mark.parametrize("path", ["store/tiny", "/store/tiny/2", "s3:/tiny", "C:/store"])
def test_a_bundle_in_a_directory_is_a_path(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_BUNDLE", path)
    assert Settings.from_environment().bundle_path == Path(path)


def test_other_programs_variables_are_none_of_our_business(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEMONIUM", "1")
    monkeypatch.setenv("MY_TANDEM_DEVICE", "gpu")
    assert Settings.from_environment().device == "auto"


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings.from_environment().max_batch = 3
