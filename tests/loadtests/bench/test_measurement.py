"""One server, measured and ended; servers that cannot be measured are named."""

import shutil
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from loadtests.bench import measurement
from loadtests.bench.bench_settings import Settings
from loadtests.bench.systems import System
from loadtests.inputs.payloads import small
from loadtests.inputs.request_bodies import single
from loadtests.load import closed_loop
from loadtests.load.server_process import Command

Faulty = Callable[[str], Command]
IMAGES = small(1)
BODY = single(IMAGES[0])
GOOD = {"label": "Bag", "probabilities": {"Bag": 0.9, "Coat": 0.1}}


def system(command: Command, name: str = "Fake, slow") -> System:
    return System(name, "", {}, command, lambda _: {})


def settings(out: Path) -> Settings:
    return Settings(out, IMAGES, workers=1, connections=2, rounds=1, seconds=1, out=out)


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk, Debian's package of that name, is not installed")
@pytest.mark.slow
def test_a_peak_and_the_latencies_below_it_are_measured(fake_command: Faulty, tmp_path: Path) -> None:
    fake = system(fake_command("none"))
    peak, [prediction] = measurement.measure_peak(fake, settings(tmp_path))
    latency = measurement.measure_latency(fake, settings(tmp_path), {"50%": 50.0, "80%": 80.0})
    assert peak[closed_loop.REQUESTS_PER_S] > 0
    assert peak[measurement.MEMORY_MIB] > 1
    assert prediction["label"] in prediction["probabilities"]
    assert set(latency) > {measurement.IDLE_MS, "p50 ms at 50%", "p99 ms at 80%"}
    assert (tmp_path / "fake-slow.log").is_file()


def test_without_wrk_there_is_an_error_that_says_so(
    fake_command: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(measurement.MeasurementError, match="wrk is not installed"):
        measurement.measure_peak(system(fake_command("none")), settings(tmp_path))


def test_a_server_that_ends_early_is_named(fake_command: Faulty, tmp_path: Path) -> None:
    with (
        pytest.raises(
            measurement.MeasurementError, match=r"^Fake, slow: .*status 1 before it was ready(?s:.*)no bundle here"
        ),
        measurement.serving(system(fake_command("crashing")), BODY, tmp_path),
    ):
        pass


def test_a_server_and_its_temporary_files_are_gone_afterwards(fake_command: Faulty, tmp_path: Path) -> None:
    with measurement.serving(system(fake_command("none")), BODY, tmp_path) as server:
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
    with pytest.raises(measurement.MeasurementError, match="MOSEC answers"):
        measurement.check_agreement("MOSEC", [other], [GOOD])


def test_rounding_is_no_disagreement() -> None:
    measurement.check_agreement("MOSEC", [{"label": "Bag", "probabilities": {"Bag": 0.9005, "Coat": 0.0995}}], [GOOD])
