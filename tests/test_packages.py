"""Every package is installed, with the file that says it has types; and what is pinned installs on every Python."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatch
from importlib.metadata import distributions
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet
from setuptools import find_namespace_packages

from tests.source_tree import ROOMS, ROOT, files

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS: dict[str, Any] = PROJECT["tool"]["setuptools"]


def test_every_package_is_installed() -> None:
    there = {".".join(file.parent.parts) for file in files(ROOMS)}
    assert there
    assert there <= set(find_namespace_packages(str(ROOT), **SETUPTOOLS["packages"]["find"]))


def test_every_room_is_installed_with_py_typed() -> None:
    assert all((ROOT / room / "py.typed").is_file() for room in ROOMS)
    assert any(fnmatch("py.typed", pattern) for pattern in SETUPTOOLS["package-data"]["*"])


@pytest.mark.parametrize("version", ["3.11.0", "3.11.2"])  # the oldest one that is said to do, and Debian 12's
def test_what_is_installed_here_installs_on_an_older_python(version: str) -> None:
    assert SpecifierSet(PROJECT["project"]["requires-python"]).contains(version)
    wanted = {each.name: each.metadata.get("Requires-Python") or "" for each in distributions()}
    assert "bentoml" in wanted
    assert {name: text for name, text in wanted.items() if not SpecifierSet(text).contains(version)} == {}
