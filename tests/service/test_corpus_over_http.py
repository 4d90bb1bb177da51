"""The generated corpus against a real server: the right answer or the right refusal, never a 500."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.rig.servers import Server, serving
from tests.imaging_corpus.corpus_files import corpus_files
from tests.imaging_corpus.over_http import Answers, hammer, requests


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("corpus"), workers=1, precision="fp32") as started:
        yield started


def check(answers: Answers) -> None:
    assert not answers.wrong, f"{len(answers.wrong)} wrong:\n" + "\n".join(answers.wrong[:40])
    assert set(answers.statuses) <= {200, 400, 415}


def test_a_sample_of_the_corpus_is_answered_as_in_process(server: Server) -> None:
    answers = hammer(server, requests(corpus_files(0.04)), within_s=120)
    assert answers.requests >= 300
    check(answers)


@pytest.mark.slow
def test_the_whole_corpus_is_answered_as_in_process(server: Server) -> None:
    answers = hammer(server, requests(corpus_files()), within_s=900)
    print(answers.describe())
    assert answers.requests >= 5000
    check(answers)
