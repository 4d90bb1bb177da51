"""Triton's `perf_analyzer` as a command; where glibc is older than its 2.38, with the libraries of Debian 13."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

VERSION = "2.60.0"
FOLDER = Path(__file__).parents[2] / "build" / "clients" / f"perf-analyzer-{VERSION}"
LIBRARIES = ("libc6", "libstdc++6", "libgcc-s1", "libssl3t64", "zlib1g", "libzstd1")
SOURCES = Path("/etc/apt")
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"


def perf_analyzer() -> list[str]:
    """The command, installed below `build/`; the test is skipped where it cannot be had."""
    program = FOLDER / "perf_analyzer" / "bin" / "perf_analyzer"
    if not program.is_file():
        _download(program)
    root = FOLDER / "root"
    loader = root / "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
    command = [str(program)]
    if not _runs(command):
        if not loader.is_file():
            _unpack_libraries(root)
        command = [str(loader), "--library-path", str(loader.parent), str(program)]
    assert _runs(command)
    return command


def _download(program: Path) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    platform = ["--platform", "manylinux_2_38_x86_64", "--dest", str(FOLDER), f"perf-analyzer=={VERSION}"]
    if subprocess.run([*pip, *platform], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"perf-analyzer {VERSION} cannot be downloaded")
    (wheel,) = FOLDER.glob("*.whl")
    shutil.unpack_archive(wheel, FOLDER, "zip")
    program.chmod(0o755)


def _runs(command: list[str]) -> bool:
    return subprocess.run([*command, "--version"], capture_output=True, check=False).returncode == 0


def _unpack_libraries(root: Path) -> None:
    """Unpacks the libraries of Debian 13 from the mirror that this machine's apt uses."""
    texts = [file.read_text() for file in SOURCES.rglob("*") if file.suffix in (".list", ".sources") and file.is_file()]
    mirror = re.search(r"^(?:URIs: *|deb (?:\[[^\]]*\] *)?)(\S+/debian/?)\s", "\n".join(texts), re.MULTILINE)
    if mirror is None or not Path(KEYS).is_file() or not shutil.which("dpkg-deb"):
        pytest.skip("this system's glibc is older than 2.38, and it is no Debian to fetch another from")
    apt = FOLDER / "apt"
    for folder in ("lists/partial", "archives/partial", "parts"):
        (apt / folder).mkdir(parents=True, exist_ok=True)
    (apt / "status").touch()
    (apt / "sources.list").write_text(f"deb [signed-by={KEYS}] {mirror[1]} trixie main\n")
    (apt / "apt.conf").write_text(
        f'Dir::State::lists "{apt}/lists"; Dir::State::status "{apt}/status"; Dir::Cache "{apt}";\n'
        f'Dir::Etc::sourcelist "{apt}/sources.list"; Dir::Etc::sourceparts "{apt}/parts"; '
        'APT::Sandbox::User "root"; APT::Architecture "amd64";\n'
    )
    environment = {**os.environ, "APT_CONFIG": str(apt / "apt.conf")}
    for command in (["apt-get", "update", "-qq"], ["apt-get", "download", "-qq", *LIBRARIES]):
        done = subprocess.run(command, cwd=apt, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"the libraries of Debian 13 cannot be fetched: {done.stderr.strip()[-200:]}")
    for package in apt.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", str(package), str(root)], check=True)
