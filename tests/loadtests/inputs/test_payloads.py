"""What is sent."""

import subprocess
import sys
from pathlib import Path

import pytest

from loadtests.inputs import payloads


def test_small_images_are_as_many_as_asked_for() -> None:
    images = payloads.small(70)
    assert len(images) == 70
    assert images[0].describe().startswith("28x28 PNG of ")


def test_photographs_take_turns() -> None:
    first, second, third = payloads.photo(3)
    assert first.describe().startswith("640x427 JPEG of ")
    assert first == third != second


def test_finding_the_photographs_does_not_import_scikit_learn() -> None:
    code = "import sys; from loadtests.inputs import payloads; payloads.photo(1); sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_file_is_sent_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.JPG").write_bytes(b"\xff\xd8")
    image = payloads.image_file(tmp_path / "a.JPG")
    assert (image.body, image.media_type) == (b"\xff\xd8", "image/jpeg")


@pytest.mark.parametrize("name", ["missing.png", "notes.txt"])
def test_what_is_no_image_file_is_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(payloads.PayloadError, match=name):
        payloads.image_file(tmp_path / name)
