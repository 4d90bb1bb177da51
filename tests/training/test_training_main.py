"""`python -m training`: what a person types, sees and may interrupt."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

import training.__main__ as command
from models.bundle.golden import verify
from models.bundle.input_spec import InputSpec
from models.bundle.loading import Bundle
from models.bundle.store import Store
from models.imaging.decode import decode
from tests.tiny_bundle import tiny_bundle
from tests.training.squares import CLASSES, TINY, signal_when_there, squares, write_image, write_squares
from training.data import folder
from training.data.images import read_image
from training.network.presets import CHECKPOINT, PRESETS

ROOT = Path(__file__).parents[2]
WORK = Path("build") / "training" / "squares"
START_SECONDS = 120
"""Deadline for a process to import torch and finish an epoch; seconds, where nothing else runs."""


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of 60 images in 3 classes; the working directory is a new one, beside it."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return write_squares(tmp_path / "images", 60)


@pytest.fixture
def tiny_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--preset quick` takes about a second."""
    monkeypatch.setitem(PRESETS, "quick", replace(TINY, min_steps=250))


def arguments(images: Path, *more: str) -> list[str]:
    return ["folder", str(images), "--name", "squares", "--image-size", "8", "--out", "store", *more]


class Process:
    """`python -m training` as a person starts it."""

    def __init__(self, *arguments_: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "training", *arguments_],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_until(self, there: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not there():
            if self.popen.poll() is not None or time.monotonic() > deadline:
                self.popen.kill()
                pytest.fail(f"no checkpoint in time: {self.popen.communicate()[1]}")
            time.sleep(0.01)

    def end(self, signal_number: signal.Signals) -> tuple[int, str]:
        """Exit status and what it said on stderr."""
        self.popen.send_signal(signal_number)
        status, _, errors = self.result(START_SECONDS)
        return status, errors

    def result(self, limit_seconds: float) -> tuple[int, str, str]:
        """Exit status, stdout and stderr; a process that takes longer is killed."""
        try:
            output, errors = self.popen.communicate(timeout=limit_seconds)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.communicate()
            raise
        return self.popen.returncode, output, errors


def has_changed(file: Path, inode: int) -> bool:
    return file.exists() and file.stat().st_ino != inode


def assert_refused_in_one_line(status: int, output: pytest.CaptureFixture[str], message: str) -> None:
    errors = output.readouterr().err.splitlines()
    assert status == 1
    assert [line for line in errors if line.startswith("error: ")] == errors[-1:]
    assert re.search(message, errors[-1]), errors[-1]
    assert not Path("store/squares").exists()


@pytest.mark.parametrize(
    "words",
    [["--help"], *([command, "--help"] for command in ("fashion-mnist", "folder", "pretrained", "variants"))],
    ids=" ".join,
)
def test_help_is_given(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(words)
    assert ended.value.code == 0
    assert "usage: python -m training" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--name", "My Squares", "'My Squares' is not a name: up to 64 of a-z, 0-9"),
        ("--name", "../../squares", "is not a name"),
        ("--name", "", "is not a name"),
        ("--name", "squares\n", "is not a name"),
        ("--image-size", "0", "0 is not within 8 and 4096"),
        ("--image-size", "-64", "-64 is not within 8 and 4096"),
        ("--image-size", "5000", "5000 is not within 8 and 4096"),
        ("--image-size", "large", "'large' is not a whole number"),
        ("--target-precision", "0", "'0' is not a number above 0 and at most 1"),
        ("--target-precision", "99", "not a number above 0 and at most 1"),
        ("--target-precision", "nan", "not a number above 0 and at most 1"),
        ("--target-precision", "high", "'high' is not a number above 0 and at most 1"),
        ("--limit", "few", "'few' is not a whole number"),
        ("--seed", "-1", "-1 is not within 0 and 4294967295"),
        ("--preset", "fast", "invalid choice: 'fast'"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_read(
    option: str, value: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main([*arguments(Path("/not/there")), f"{option}={value}"])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_a_folder_without_a_name_is_refused(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["folder", str(images)])
    assert "required: --name" in capsys.readouterr().err


@pytest.mark.parametrize("limit", ["5", "0", "-3"])
def test_a_limit_below_two_images_a_class_is_refused(
    images: Path, limit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = command.main(arguments(images, f"--limit={limit}"))
    assert_refused_in_one_line(status, capsys, f"^error: {limit} images are too few for 3 classes; take at least 6$")


def test_what_is_no_folder_is_refused(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = command.main(arguments(images / "nowhere"))
    assert_refused_in_one_line(status, capsys, "nowhere is not a directory")


def test_a_folder_without_fashion_mnist_is_refused(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = command.main(["fashion-mnist", "--data", str(images), "--out", "store"])
    assert_refused_in_one_line(status, capsys, "has neither train-images-idx3-ubyte.gz .*dataset-fashion-mnist")


def test_resuming_nothing_is_refused(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = command.main(arguments(images, "--resume"))
    assert_refused_in_one_line(status, capsys, "nothing to resume: .*; start without --resume$")


def test_a_store_that_cannot_be_written_is_refused(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("store").write_text("a file")
    assert_refused_in_one_line(command.main(arguments(images)), capsys, "File exists: 'store'")
    assert not WORK.exists()


@pytest.mark.parametrize("command_", ["pretrained", "variants"])
def test_a_folder_that_is_not_there_is_refused_by_each_command(
    images: Path, tmp_path: Path, command_: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = {
        "pretrained": ["pretrained", "nowhere", "--name", "squares", "--out", "store"],
        "variants": ["variants", str(tiny_bundle(tmp_path)), "nowhere", "--out", "store"],
    }
    assert_refused_in_one_line(command.main(words[command_]), capsys, "nowhere is not a directory")


def test_variants_of_what_is_no_bundle_are_refused(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = command.main(["variants", str(images), str(images), "--out", "store"])
    assert_refused_in_one_line(status, capsys, "neither a bundle .* nor a store entry")


def test_a_precision_that_there_is_not_is_refused(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["variants", "squares", str(images), "--precisions", "int4"])
    assert "invalid choice: 'int4'" in capsys.readouterr().err


def test_a_head_more_and_help_load_no_torch() -> None:
    code = "import sys, training.cli.commands; import training.workflows.refit"
    code += "; print({'lightning_fabric', 'torch'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_interrupted_while_there_is_nothing_to_resume_it_does_not_promise_to(
    images: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr("training.backbones.names.load_backbone", interrupted)
    assert command.main(["pretrained", str(images), "--name", "squares"]) == 130
    assert capsys.readouterr().err.endswith(
        "interrupted; no result was written; the same command goes on from the embeddings that are kept, if there are "
        "any\n"
    )


def test_interrupted_before_the_first_epoch_it_does_not_promise_to_resume(
    images: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr("training.workflows.train.train", interrupted)
    assert command.main(arguments(images)) == 130
    assert capsys.readouterr().err.endswith(
        "interrupted; no epoch was finished, so there is nothing to --resume: start again\n"
    )


@pytest.mark.usefixtures("tiny_preset")
def test_interrupted_and_resumed_it_ends_with_a_bundle(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (images / "red" / "damaged.png").write_bytes(b"")
    with signal_when_there(WORK / CHECKPOINT, signal.SIGTERM):
        assert command.main(arguments(images)) == 130
    told = capsys.readouterr().err
    assert told.endswith("\ninterrupted; the same command with --resume continues after the last whole epoch\n")
    assert "Traceback" not in told

    assert command.main(arguments(images, "--resume")) == 0
    told_and_result = capsys.readouterr()
    assert f"skipped {images / 'red' / 'damaged.png'}: " in told_and_result.err
    assert re.match(r"squares@1, head category: test_accuracy 1\.0000, ", told_and_result.out)
    assert "wrote store/squares/1; serve it with TANDEM_BUNDLE=store/squares/1\n" in told_and_result.out
    assert not WORK.exists()
    verify(Bundle.open(Path("store/squares/1")))

    assert command.main(["variants", "store/squares", str(images), "--precisions", "fp16"]) == 0
    assert "wrote store/squares/2; serve it with TANDEM_BUNDLE=store/squares/2\n" in capsys.readouterr().out
    upgraded = Bundle.open(Path("store/squares/2"))
    verify(upgraded)
    assert upgraded.manifest.precisions == ("fp32", "fp16")
    assert Store(Path("store")).champion("squares") == 1


@pytest.fixture
def strips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of 60 images in 3 classes, twice as wide as high; the working directory is a new one, beside it."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    dataset = squares(60)
    for index, (image, label) in enumerate(zip(np.asarray(dataset.images), dataset.labels, strict=True)):
        name = f"{index:03d}.{('png', 'tif', 'bmp', 'webp')[index % 4]}"
        write_image(tmp_path / "strips" / CLASSES[label] / name, np.concatenate([image, image[:, ::-1]], axis=1))
    return tmp_path / "strips"


@pytest.mark.usefixtures("tiny_preset")
@pytest.mark.parametrize("fit", ["pad", "crop"])
def test_a_bundle_fits_images_as_its_training_did(strips: Path, fit: str) -> None:
    assert command.main(arguments(strips, "--fit", fit)) == 0
    bundle = Bundle.open(Path("store/squares/1"))
    verify(bundle)
    spec = bundle.manifest.input
    assert spec == InputSpec(height=8, width=8, channels=3, decoder="fraction", fit=fit)
    dataset = folder.load(strips, name="squares", image_size=8, fit=fit)
    assert bundle.manifest.data_fingerprint == dataset.fingerprint()
    assert len(dataset.files) == 60, "TIFF and BMP files among them"
    images = dataset.images[np.arange(60)]
    served = np.stack([decode(read_image(strips / name).data, spec) for name in dataset.files])
    np.testing.assert_array_equal(served, images)
    assert (images[:, [0, 1, 6, 7]] == spec.background).all() == (fit == "pad")


@pytest.mark.parametrize("words", [["table", "table.csv"], ["pretrained", "."]], ids=lambda words: words[0])
def test_the_pretrained_network_is_given_images_fitted_as_was_asked_for(
    strips: Path, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [f"{file.relative_to(strips)},{file.parent.name}" for file in sorted(strips.rglob("*.*"))]
    (strips / "table.csv").write_text("\n".join(["image,label", *rows]))
    given = []
    monkeypatch.setattr("training.workflows.transfer.transfer", lambda dataset, *_: given.append(dataset))
    status = command.main([words[0], str(strips / words[1]), "--name", "squares", "--fit", "pad"])
    assert status == 0
    assert given[0].input.fit == "pad"
    pixels = given[0].images[np.arange(2)]
    assert (pixels[:, :55] == 255).all()
    assert (pixels[:, 57:167] < 255).all()


@pytest.mark.slow
def test_killed_and_interrupted_processes_leave_checkpoints_that_resume(images: Path) -> None:
    checkpoint = WORK / CHECKPOINT
    killed = Process(*arguments(images))
    killed.wait_until(checkpoint.exists)
    assert killed.end(signal.SIGKILL)[0] == -signal.SIGKILL
    assert torch.load(checkpoint, weights_only=True)["epoch"] >= 1

    inode = checkpoint.stat().st_ino
    interrupted = Process(*arguments(images, "--resume"))
    interrupted.wait_until(partial(has_changed, checkpoint, inode))
    status, errors = interrupted.end(signal.SIGINT)
    assert status == 130
    assert "interrupted; the same command with --resume continues" in errors
    assert "Traceback" not in errors
    assert "bfloat16" not in errors, "Lightning's own words are kept out"


@pytest.mark.slow
def test_a_process_ended_again_and_again_ends_with_a_bundle_when_it_is_left_alone(images: Path) -> None:
    checkpoint = WORK / CHECKPOINT
    inode = 0
    resume: list[str] = []
    for signal_number, status in [(signal.SIGTERM, 130), (signal.SIGKILL, -9), (signal.SIGINT, 130)]:
        process = Process(*arguments(images, *resume))
        process.wait_until(partial(has_changed, checkpoint, inode))
        assert process.end(signal_number)[0] == status
        inode, resume = checkpoint.stat().st_ino, ["--resume"]
    _, output, errors = Process(*arguments(images, "--resume")).result(300)
    assert "wrote store/squares/1" in output, errors
    verify(Bundle.open(Path("store/squares/1")))


def test_a_table_gives_a_bundle_another_head(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = tiny_bundle(Path("store"), name="tiny", channels=3)
    files = sorted(images.rglob("*.png"))
    rows = [f"{file.relative_to(images)},{file.parent.name},{index % 7}" for index, file in enumerate(files)]
    (images / "table.csv").write_text("\n".join(["image,label,size", *rows]))
    given = ["head", str(bundle.parent), "--table", str(images / "table.csv"), "--columns", "size"]
    assert command.main([*given, "--name", "colour", "--head", "decision_tree", "--thumbnails"]) == 0
    told = capsys.readouterr().out
    assert re.match(r"tiny@2, head colour: test_accuracy ", told)
    assert "wrote store/tiny/2; serve it with TANDEM_BUNDLE=store/tiny/2\n" in told
    manifest = Bundle.open(Path("store/tiny/2")).manifest
    assert [head.name for head in manifest.heads] == ["shade", "colour"]
    assert manifest.heads[1].columns[0].model_dump() == {
        "name": "size",
        "type": "number",
        "required": True,
        "low": 0.0,
        "high": 6.0,
    }
    assert manifest.heads[1].policy.range_columns == ("size",)

    assert command.main([*given, "--name", "colour", "--head", "decision_tree", "--extrapolate"]) == 0
    again = Bundle.open(Path("store/tiny/3")).manifest
    assert again.heads[1].policy.range_columns == ()
    assert again.training["heads"]["colour"]["extrapolate"] is True

    capsys.readouterr()
    assert command.main([*given, "--name", "colour", "--head", "linear_regression"]) == 1
    assert "error: linear_regression is no model for classification; take one of" in capsys.readouterr().err


@pytest.mark.slow
def test_the_digits_are_learnt_in_three_minutes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digits = load_digits()
    for index, (image, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        write_image(tmp_path / "digits" / str(label) / f"{index}.png", (image * 255 / 16).round().astype("uint8"))
    monkeypatch.chdir(tmp_path)
    started = time.monotonic()
    status, output, errors = Process("folder", "digits", "--name", "digits", "--out", "store").result(400)
    seconds = time.monotonic() - started
    assert status == 0, errors
    print(errors, output, f"{seconds:.0f} s, load {os.getloadavg()}")

    bundle = Bundle.open(Store(tmp_path / "store").path("digits"))
    verify(bundle)
    assert bundle.manifest.input.channels == 1
    assert bundle.manifest.default_head.metrics["test_accuracy"] >= 0.97
    assert seconds <= 180
