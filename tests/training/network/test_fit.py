"""`training.network.fit`: the same network every time, interrupted or not."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.training.squares import TINY, signal_when_there, squares
from training.data.dataset import Dataset
from training.data.split import Split, split
from training.exceptions import ResumeError
from training.network import fit as fit_module
from training.network.fit import Fitted, fit
from training.network.network import EmbeddingNetwork
from training.network.optimization import image_side, schedule
from training.network.presets import CHECKPOINT, PRESETS, Hyperparameters, NetworkKind

# Long enough to be interrupted: the signal comes milliseconds after the first of some 30 epochs.
LONGER = replace(TINY, min_steps=250)
TAUGHT = replace(TINY, teacher=replace(TINY, stem_width=16, embedding_width=16))


def state(fitted: Fitted) -> dict[str, Tensor]:
    return fitted.network.state_dict()


def assert_equal_states(first: Fitted, second: Fitted) -> None:
    for (name, one), other in zip(state(first).items(), state(second).values(), strict=True):
        assert torch.equal(one, other), name
    assert first.history.loss == second.history.loss
    assert first.history.validation_accuracy == second.history.validation_accuracy


@pytest.fixture(scope="module")
def uninterrupted(dataset: Dataset, parts: Split, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    return fit(dataset, parts, LONGER, seed=0, work=tmp_path_factory.mktemp("work"))


@pytest.fixture
def interrupted(dataset: Dataset, parts: Split, tmp_path: Path) -> Path:
    """The directory of a fit that Ctrl-C ended soon after its first epoch."""
    with pytest.raises(KeyboardInterrupt), signal_when_there(tmp_path / CHECKPOINT, signal.SIGINT):
        fit(dataset, parts, LONGER, seed=0, work=tmp_path)
    return tmp_path


def test_the_network_learns_the_squares(uninterrupted: Fitted) -> None:
    assert uninterrupted.history.validation_accuracy[-1] == 1.0
    assert uninterrupted.history.loss[-1] < uninterrupted.history.loss[0]


def test_the_network_comes_back_on_the_cpu_and_in_evaluation_mode(uninterrupted: Fitted) -> None:
    assert not uninterrupted.network.training
    assert {parameter.device.type for parameter in uninterrupted.network.parameters()} == {"cpu"}


def test_mean_and_deviation_are_those_of_the_training_images(
    uninterrupted: Fitted, dataset: Dataset, parts: Split
) -> None:
    pixels = dataset.images[parts.train].reshape(-1, 3).astype(float)
    assert uninterrupted.network.mean.tolist() == pytest.approx(pixels.mean(0), rel=1e-5)
    assert uninterrupted.network.std.tolist() == pytest.approx(pixels.std(0), rel=1e-5)


def test_the_same_seed_gives_the_same_network_and_another_seed_another(
    dataset: Dataset, parts: Split, tmp_path: Path
) -> None:
    first, second, other = (fit(dataset, parts, TINY, seed=seed, work=tmp_path) for seed in (1, 1, 2))
    assert_equal_states(first, second)
    assert first.history.loss != other.history.loss


def test_an_interrupted_fit_resumes_to_the_very_same_network(
    interrupted: Path, dataset: Dataset, parts: Split, uninterrupted: Fitted
) -> None:
    done = torch.load(interrupted / CHECKPOINT, weights_only=True)["epoch"]
    assert 1 <= done < len(uninterrupted.history.loss)
    resumed = fit(dataset, parts, LONGER, seed=0, work=interrupted, resume=True)
    assert_equal_states(resumed, uninterrupted)
    assert len(resumed.history.seconds) == len(uninterrupted.history.seconds)


def test_a_finished_fit_resumes_without_another_step(dataset: Dataset, parts: Split, tmp_path: Path) -> None:
    finished = fit(dataset, parts, TINY, seed=0, work=tmp_path)
    before = (tmp_path / CHECKPOINT).stat()
    assert_equal_states(fit(dataset, parts, TINY, seed=0, work=tmp_path, resume=True), finished)
    after = (tmp_path / CHECKPOINT).stat()
    assert (after.st_ino, after.st_mtime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
    )  # reading may change the time of access


def test_a_fit_out_of_time_ends_with_its_epoch_and_gives_the_network_that_it_has(
    dataset: Dataset, parts: Split, tmp_path: Path
) -> None:
    fitted = fit(dataset, parts, LONGER, seed=0, work=tmp_path, max_seconds=0.0)
    assert len(fitted.history.loss) == len(fitted.history.validation_accuracy) == 1
    assert not fitted.network.training


def test_a_network_learns_from_a_teacher_that_is_fitted_first(dataset: Dataset, parts: Split, tmp_path: Path) -> None:
    fitted = fit(dataset, parts, TAUGHT, seed=0, work=tmp_path)
    assert fitted.history.validation_accuracy[-1] == 1.0
    assert fitted.network.classifier.in_features == TINY.embedding_width
    teacher = torch.load(tmp_path / "teacher" / CHECKPOINT, weights_only=True)
    assert teacher["network"]["classifier.weight"].shape == (3, 16)
    assert fitted.seconds == pytest.approx(sum(teacher["history"]["seconds"]) + sum(fitted.history.seconds))


def test_a_network_learns_what_its_teacher_says_more_than_the_labels(
    dataset: Dataset, parts: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The teacher, whose labels are the right ones, teaches right what the network's labels have wrong."""
    wrong = replace(dataset, labels=(dataset.labels + 1) % 3)
    teach = fit_module._Loop._softened

    def of_right_labels(loop: fit_module._Loop, teacher: EmbeddingNetwork, classes: int) -> Tensor:
        right = fit(dataset, parts, LONGER, seed=0, work=tmp_path / "right").network
        return teach(loop, right, classes)

    monkeypatch.setattr(fit_module._Loop, "_softened", of_right_labels)
    monkeypatch.setattr(fit_module, "_TEMPERATURE", 1.0)
    fitted = fit(wrong, parts, TAUGHT, seed=0, work=tmp_path)
    with torch.no_grad():
        found = fitted.network.classifier(fitted.network(torch.from_numpy(dataset.images[parts.test]))).argmax(1)
    assert float((found.numpy() == dataset.labels[parts.test]).mean()) > 0.8


@pytest.mark.parametrize("where", ["teacher", "."])
def test_a_network_with_a_teacher_resumes_wherever_it_was_interrupted(
    dataset: Dataset, parts: Split, tmp_path: Path, where: str
) -> None:
    longer = replace(LONGER, teacher=LONGER)
    with (
        pytest.raises(KeyboardInterrupt),
        signal_when_there(tmp_path / "parted" / where / CHECKPOINT, signal.SIGINT),
    ):
        fit(dataset, parts, longer, seed=0, work=tmp_path / "parted")
    resumed = fit(dataset, parts, longer, seed=0, work=tmp_path / "parted", resume=True)
    assert_equal_states(resumed, fit(dataset, parts, longer, seed=0, work=tmp_path / "whole"))


def test_a_network_is_fitted_in_bfloat16_where_the_hardware_multiplies_in_it(
    dataset: Dataset, parts: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = set[torch.dtype]()

    def convolution(*given: Tensor, **more: object) -> Tensor:
        found = torch.conv2d(*given, **more)  # type: ignore[call-overload]
        seen.add(found.dtype)
        return found  # type: ignore[no-any-return]

    monkeypatch.setattr(fit_module, "_precision", lambda: "bf16-mixed")
    monkeypatch.setattr(torch.nn.functional, "conv2d", convolution)
    fitted = fit(dataset, Split(parts.train, parts.validation[:0], parts.test), TINY, seed=0, work=tmp_path)
    assert seen == {torch.bfloat16}
    assert {value.dtype for value in fitted.network.parameters()} == {torch.float32}
    assert fitted.hardware.endswith("bf16-mixed")


def test_nothing_to_resume_is_an_error(dataset: Dataset, parts: Split, tmp_path: Path) -> None:
    with pytest.raises(ResumeError, match=r"nothing to resume: .*checkpoint\.pt does not exist; start without"):
        fit(dataset, parts, TINY, seed=0, work=tmp_path, resume=True)


@pytest.mark.parametrize(
    ("what", "other_data", "hyperparameters", "seed"),
    [
        pytest.param("data", True, LONGER, 0, id="other images"),
        pytest.param("recipe", False, replace(LONGER, learning_rate=0.1), 0, id="other hyperparameters"),
        pytest.param("seed", False, LONGER, 1, id="another seed"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(
    interrupted: Path, dataset: Dataset, what: str, other_data: bool, hyperparameters: Hyperparameters, seed: int
) -> None:
    data = squares(180, seed=1) if other_data else dataset
    with pytest.raises(ResumeError, match=rf"checkpoint\.pt was written with another {what}; use the same settings"):
        fit(data, split(data, seed), hyperparameters, seed=seed, work=interrupted, resume=True)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 half a checkpoint"])
def test_a_damaged_checkpoint_is_refused(dataset: Dataset, parts: Split, tmp_path: Path, content: bytes) -> None:
    (tmp_path / CHECKPOINT).write_bytes(content)
    with pytest.raises(ResumeError, match=r"checkpoint\.pt is damaged \(.*\); start without --resume"):
        fit(dataset, parts, TINY, seed=0, work=tmp_path, resume=True)


def test_a_file_of_another_program_is_refused(dataset: Dataset, parts: Split, tmp_path: Path) -> None:
    torch.save({"weights": torch.zeros(3)}, tmp_path / CHECKPOINT)
    with pytest.raises(ResumeError, match=r"checkpoint\.pt is not a checkpoint of this program"):
        fit(dataset, parts, TINY, seed=0, work=tmp_path, resume=True)


def test_a_checkpoint_that_cannot_be_written_leaves_the_last_one(
    interrupted: Path, dataset: Dataset, parts: Split
) -> None:
    before = (interrupted / CHECKPOINT).read_bytes()
    (interrupted / "checkpoint.tmp").unlink(missing_ok=True)
    (interrupted / "checkpoint.tmp").mkdir()  # in the way of the next one
    with pytest.raises((RuntimeError, OSError)):
        fit(dataset, parts, LONGER, seed=0, work=interrupted, resume=True)
    assert (interrupted / CHECKPOINT).read_bytes() == before


def test_nothing_but_the_checkpoint_stays_behind(dataset: Dataset, parts: Split, tmp_path: Path) -> None:
    fit(dataset, parts, TINY, seed=0, work=tmp_path / "new" / "work")
    assert [path.name for path in (tmp_path / "new" / "work").iterdir()] == [CHECKPOINT]


@pytest.mark.parametrize(
    ("count", "epochs", "batch_size"),
    [
        pytest.param(54_000, 16, 256, id="Fashion-MNIST as the preset says"),
        pytest.param(1_293, 75, 64, id="the digits in smaller batches and more epochs"),
        pytest.param(42, 300, 8, id="a few images in the smallest batches"),
        pytest.param(2, 1_500, 8, id="two images, one step an epoch"),
    ],
)
def test_small_sets_get_smaller_batches_and_more_epochs(count: int, epochs: int, batch_size: int) -> None:
    assert schedule(count, PRESETS["quick"]) == (epochs, batch_size)


@pytest.mark.parametrize(
    ("epochs", "sides"),
    [
        pytest.param(120, [20] * 40 + [24] * 40 + [28] * 40, id="a third of the epochs each"),
        pytest.param(2, [20, 28], id="two epochs"),
        pytest.param(1, [28], id="the last epoch sees whole images"),
    ],
)
def test_images_grow_while_a_network_is_fitted(epochs: int, sides: list[int]) -> None:
    assert [image_side(28, epoch, epochs, PRESETS["best"]) for epoch in range(epochs)] == sides


@pytest.mark.parametrize("network", ["cct", "gru"])
def test_networks_that_know_the_place_of_a_pixel_see_whole_images_only(network: NetworkKind) -> None:
    assert {image_side(28, epoch, 9, PRESETS["best"].of(network)) for epoch in range(9)} == {28}
