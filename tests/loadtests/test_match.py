"""One server, measured and ended; servers that cannot be measured are named."""

import shutil
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from loadtests import match
from loadtests.bodies import single
from loadtests.lineup import Contestant
from loadtests.payloads import small
from loadtests.server import Command

Faulty = Callable[[str], Command]
BODY = single(small(1)[0])
GOOD = {"label": "Bag", "probabilities": {"Bag": 0.9, "Coat": 0.1}}


def contestant(command: Command, name: str = "Fake, slow") -> Contestant:
    return Contestant(name, "", {}, command, lambda _: {})


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk, Debian's package of that name, is not installed")
def test_a_peak_and_the_latencies_below_it_are_measured(fake_command: Faulty, tmp_path: Path) -> None:
    fake, load = contestant(fake_command("none")), match.Load(BODY, connections=2, seconds=1)
    peak, [prediction] = match.closed_loop(fake, load, tmp_path)
    latency = match.open_loop(fake, load, peak_per_s=100.0, out=tmp_path)
    assert peak[match.REQUESTS_PER_S] > 0
    assert peak[match.MEMORY_MIB] > 1
    assert prediction["label"] in prediction["probabilities"]
    assert set(latency) > {match.IDLE_MS, match.open_p50(0.5), match.open_p99(0.8)}
    assert (tmp_path / "fake-slow.log").is_file()


def test_without_wrk_there_is_an_error_that_says_so(
    fake_command: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    load = match.Load(BODY, connections=2, seconds=1)
    with pytest.raises(match.MatchError, match="wrk is not installed"):
        match.closed_loop(contestant(fake_command("none")), load, tmp_path)


def test_a_server_that_ends_early_is_named(fake_command: Faulty, tmp_path: Path) -> None:
    with (
        pytest.raises(match.MatchError, match=r"^Fake, slow: .*status 1 before it was ready(?s:.*)no bundle here"),
        match.serving(contestant(fake_command("crashing")), BODY, tmp_path),
    ):
        pass


def test_a_server_and_its_temporary_files_are_gone_afterwards(fake_command: Faulty, tmp_path: Path) -> None:
    with match.serving(contestant(fake_command("none")), BODY, tmp_path) as server:
        scratch = Path(psutil.Process(server.pid).environ()["TMPDIR"])
        assert scratch.is_dir()
    assert not scratch.exists()
    assert not psutil.pid_exists(server.pid)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"label": "Coat", "probabilities": GOOD["probabilities"]}, id="another label"),
        pytest.param({"label": "Bag", "probabilities": {"Bag": 0.8, "Coat": 0.2}}, id="other probabilities"),
        pytest.param({"label": "Bag", "probabilities": {}}, id="no probabilities"),
    ],
)
def test_a_server_with_other_answers_is_refused(other: dict[str, object]) -> None:
    with pytest.raises(match.MatchError, match="MOSEC answers"):
        match.check_agreement("MOSEC", [other], [GOOD])


def test_rounding_is_no_disagreement() -> None:
    match.check_agreement("MOSEC", [{"label": "Bag", "probabilities": {"Bag": 0.9005, "Coat": 0.0995}}], [GOOD])
