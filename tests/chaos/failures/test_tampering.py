"""One bit, anywhere in a bundle: refused, and the file is named."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from models.bundle.loading import MANIFEST, Bundle
from models.bundle.store import DEFAULT_ROOT, Store
from models.errors import BundleError
from tests.chaos.rig.reliability import Reliability

FLIPS = 64
COMMITTED = Store(DEFAULT_ROOT).path("fashion-mnist")


def flip(file: Path, bit: int) -> None:
    """Turns one bit of a file over."""
    data = bytearray(file.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    file.write_bytes(data)


def opens_without_naming(bundle: Path, name: str) -> str:
    """What is wrong with how a damaged bundle was received; empty where it was refused by the file's name."""
    try:
        Bundle.open(bundle)
    except BundleError as error:
        return "" if name in str(error) else f"refused without the file's name: {error}"
    except Exception as error:
        return f"{type(error).__name__} instead of BundleError: {error}"
    return "accepted"


def test_every_flipped_bit_is_refused_by_the_files_name(reliability: Reliability, tmp_path: Path) -> None:
    source = random.Random(20261122)
    bundle = shutil.copytree(COMMITTED, tmp_path / "1")
    Bundle.open(bundle)
    files = sorted(path for path in bundle.rglob("*") if path.is_file())
    wrong = []
    for number in range(FLIPS):
        # Each file in turn, then by size, as most bits of a bundle are in its graphs.
        sizes = [file.stat().st_size for file in files]
        file = files[number] if number < len(files) else source.choices(files, sizes)[0]
        bit = source.randrange(file.stat().st_size * 8)
        name = file.relative_to(bundle).as_posix()
        flip(file, bit)
        if complaint := opens_without_naming(bundle, name):
            wrong.append(f"bit {bit} of {name}: {complaint}")
        flip(file, bit)
    Bundle.open(bundle)
    reliability.record(
        f"tampering: {FLIPS} single-bit flips over the {len(files)} files of the committed bundle",
        "each refused, by the file's name",
        f"{FLIPS - len(wrong)} of {FLIPS} refused by name",
        not wrong,
    )
    assert not wrong


@pytest.mark.chaos
def test_every_bit_of_a_manifest_counts(tiny_copy: Path) -> None:
    manifest = tiny_copy / MANIFEST
    wrong = []
    for bit in range(manifest.stat().st_size * 8):
        flip(manifest, bit)
        if complaint := opens_without_naming(tiny_copy, MANIFEST):
            wrong.append(f"bit {bit}: {complaint}")
        flip(manifest, bit)
    assert not wrong, wrong[:5]
