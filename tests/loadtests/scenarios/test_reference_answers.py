"""The answers to images sent one by one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from loadtests.inputs.fashion_images import LabelledImage, read_test_set, small_images
from loadtests.load.server_process import Command, free_port, running
from loadtests.scenarios.answer_check import WrongAnswerError
from loadtests.scenarios.reference_answers import Reference, ask_one_by_one

SHOES = tuple(LabelledImage(f"{number}".encode(), "image/png", "Sneaker") for number in range(4))
REFERENCE = Reference(SHOES, ("Sneaker", "Sneaker", "Sneaker", "Bag"))


def test_accuracy_is_the_share_of_labels_that_are_the_data_sets() -> None:
    assert REFERENCE.accuracy == 0.75


def test_the_same_labels_pass_in_any_order() -> None:
    REFERENCE.check([3, 0], ["Bag", "Sneaker"])


def test_another_label_for_the_same_image_is_a_wrong_answer() -> None:
    with pytest.raises(WrongAnswerError, match="image 3 was 'Bag' alone, now it is 'Sneaker'"):
        REFERENCE.check([3], ["Sneaker"])


def test_joined_references_keep_their_order() -> None:
    other = Reference((LabelledImage(b"bag", "image/jpeg", "Bag"),), ("Coat",))
    assert REFERENCE.joined(other).labels == ("Sneaker", "Sneaker", "Sneaker", "Bag", "Coat")


def test_every_image_gets_a_label_from_the_service(fake_command: Callable[[str], Command], tmp_path: Path) -> None:
    images = small_images(*read_test_set(None, limit=8))
    with running(fake_command("none"), log=tmp_path / "log") as server:
        first = ask_one_by_one(server.url, images)
        assert ask_one_by_one(server.url, images) == first
    assert len(first.labels) == len(images)


def test_a_status_other_than_200_is_a_wrong_answer(fake_command: Callable[[str], Command], tmp_path: Path) -> None:
    with (
        running(fake_command("none"), log=tmp_path / "log") as server,
        pytest.raises(WrongAnswerError, match="status 404"),
    ):
        ask_one_by_one(f"{server.url}/elsewhere", SHOES)


def test_a_service_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ConnectionRefusedError):
        ask_one_by_one(f"http://127.0.0.1:{free_port()}", SHOES)
