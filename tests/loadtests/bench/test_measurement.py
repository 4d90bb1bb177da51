"""One server, measured and ended; servers that cannot be measured are named."""

import shutil
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from loadtests.bench import measurement
from loadtests.bench.systems import Contestant
from loadtests.inputs.payloads import small
from loadtests.inputs.request_bodies import single
from loadtests.load.server_process import Command

Faulty = Callable[[str], Command]
BODY = single(small(1)[0])
GOOD = {"label": "Bag", "probabilities": {"Bag": 0.9, "Coat": 0.1}}


def contestant(command: Command, name: str = "Fake, slow") -> Contestant:
    return Contestant(name, "", {}, command, lambda _: {})


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk, Debian's package of that name, is not installed")
def test_a_peak_and_the_latencies_below_it_are_measured(fake_command: Faulty, tmp_path: Path) -> None:
    fake, load = contestant(fake_command("none")), measurement.Load(BODY, connections=2, seconds=1)
    peak, [prediction] = measurement.closed_loop(fake, load, tmp_path)
    latency = measurement.open_loop(fake, load, peak_per_s=100.0, out=tmp_path)
    assert peak[measurement.REQUESTS_PER_S] > 0
    assert peak[measurement.MEMORY_MIB] > 1
    assert prediction["label"] in prediction["probabilities"]
    assert set(latency) > {measurement.IDLE_MS, measurement.open_p50(0.5), measurement.open_p99(0.8)}
    assert (tmp_path / "fake-slow.log").is_file()


def test_without_wrk_there_is_an_error_that_says_so(
    fake_command: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    load = measurement.Load(BODY, connections=2, seconds=1)
    with pytest.raises(measurement.MatchError, match="wrk is not installed"):
        measurement.closed_loop(contestant(fake_command("none")), load, tmp_path)


def test_a_server_that_ends_early_is_named(fake_command: Faulty, tmp_path: Path) -> None:
    with (
        pytest.raises(
            measurement.MatchError, match=r"^Fake, slow: .*status 1 before it was ready(?s:.*)no bundle here"
        ),
        measurement.serving(contestant(fake_command("crashing")), BODY, tmp_path),
    ):
        pass


def test_a_server_and_its_temporary_files_are_gone_afterwards(fake_command: Faulty, tmp_path: Path) -> None:
    with measurement.serving(contestant(fake_command("none")), BODY, tmp_path) as server:
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
    with pytest.raises(measurement.MatchError, match="MOSEC answers"):
        measurement.check_agreement("MOSEC", [other], [GOOD])


def test_rounding_is_no_disagreement() -> None:
    measurement.check_agreement("MOSEC", [{"label": "Bag", "probabilities": {"Bag": 0.9005, "Coat": 0.0995}}], [GOOD])
