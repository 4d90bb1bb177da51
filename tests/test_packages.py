"""Every package is installed, with the file that says it has types."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatch
from typing import Any

from setuptools import find_namespace_packages

from tests.source_tree import ROOMS, ROOT, files

SETUPTOOLS: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]


def test_every_package_is_installed() -> None:
    there = {".".join(file.parent.parts) for file in files(ROOMS)}
    assert there
    assert there <= set(find_namespace_packages(str(ROOT), **SETUPTOOLS["packages"]["find"]))


def test_every_room_is_installed_with_py_typed() -> None:
    assert all((ROOT / room / "py.typed").is_file() for room in ROOMS)
    assert any(fnmatch("py.typed", pattern) for pattern in SETUPTOOLS["package-data"]["*"])
