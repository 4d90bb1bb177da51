"""A training in MLflow: a run with parameters, figures and files, and a version of the registered model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import training.__main__ as command
from models.bundle.loading import Bundle
from models.errors import TandemError
from tests.tiny_bundle import tiny_bundle
from training.cli import experiment_tracking
from training.cli.experiment_tracking import EXPERIMENT, check_tracking, log_bundle


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_DISABLE_TELEMETRY", "MLFLOW_ALLOW_FILE_STORE"):
        monkeypatch.setenv(name, "true")  # removed in the end, whoever sets it


@pytest.fixture
def uri(tmp_path: Path) -> str:
    """A folder that MLflow logs to."""
    return f"file://{tmp_path / 'mlruns'}"


def client(uri: str) -> Any:
    from mlflow.tracking import MlflowClient  # noqa: PLC0415 (seconds)

    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def test_a_bundle_is_a_run_with_parameters_figures_and_all_its_files(tiny_path: Path, uri: str) -> None:
    said = log_bundle(tiny_path, uri)
    mlflow = client(uri)
    (run,) = mlflow.search_runs([mlflow.get_experiment_by_name(EXPERIMENT).experiment_id])
    assert (run.info.run_name, run.info.status) == ("tiny@1", "FINISHED")
    assert run.data.params == {"seed": "0"}
    assert run.data.metrics == {"accuracy": 1.0}
    assert "# tiny@1" in run.data.tags["mlflow.note.content"]
    logged = Path(mlflow.download_artifacts(run.info.run_id, "bundle"))
    assert Bundle.open(logged).files == Bundle.open(tiny_path).files
    assert run.info.run_id in said


def test_each_bundle_is_the_next_version_of_its_registered_model(tmp_path: Path, uri: str) -> None:
    for version in (4, 7):
        said = log_bundle(tiny_bundle(tmp_path, version=version), uri)
    assert said.endswith("registered as tiny version 2")
    versions = client(uri).search_model_versions("name = 'tiny'")
    assert {each.version: each.tags["tandem.model"] for each in versions} == {1: "tiny@4", 2: "tiny@7"}
    assert all(each.source.endswith("/artifacts/bundle") for each in versions)


def test_figures_of_further_heads_have_the_heads_name(tmp_path: Path, uri: str) -> None:
    log_bundle(tiny_bundle(tmp_path, heads={"shade": (), "other": ()}), uri)
    mlflow = client(uri)
    (run,) = mlflow.search_runs([mlflow.get_experiment_by_name(EXPERIMENT).experiment_id])
    assert run.data.metrics == {"accuracy": 1.0, "other.accuracy": 1.0}


def test_names_and_values_that_mlflow_refuses_are_cut(tmp_path: Path) -> None:
    manifest = Bundle.open(tiny_bundle(tmp_path)).manifest
    training = {"a": {"b: c?": "x" * 9000}, "heads": {"other": {}}}
    ((name, value),) = experiment_tracking._parameters(manifest.model_copy(update={"training": training}))
    assert (name, len(value)) == ("a.b_ c_", 6000)


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        pytest.param("nope://x", "nope", id="an unknown protocol"),
        pytest.param("http://127.0.0.1:9", "refused", id="a server that is not there"),
    ],
)
def test_what_cannot_be_logged_to_is_refused_before_the_training(uri: str, reason: str) -> None:
    with pytest.raises(TandemError, match=f"'{uri}' cannot be logged to: .*{reason}"):
        check_tracking(uri)


def test_without_the_package_a_sentence_says_what_to_install(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow.tracking", None)
    with pytest.raises(TandemError, match=r"`pip install 'tandem\[mlflow\]'`"):
        check_tracking(uri)


def test_a_run_that_fails_half_way_is_marked_and_the_bundle_stays(
    tiny_path: Path, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(experiment_tracking, "_register", fail)
    with pytest.raises(TandemError, match=r"tiny/1 is written, but not logged in .*: disk full"):
        log_bundle(tiny_path, uri)
    mlflow = client(uri)
    (run,) = mlflow.search_runs([mlflow.get_experiment_by_name(EXPERIMENT).experiment_id])
    assert run.info.status == "FAILED"


def test_no_uri_needs_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow.tracking", None)
    check_tracking(None)


@pytest.mark.parametrize(
    "words",
    [
        ["folder", "nowhere", "--name", "x"],
        ["pretrained", "nowhere", "--name", "x"],
        ["head", "nowhere", "--table", "x.csv", "--name", "x"],
        ["variants", "nowhere", "nowhere"],
    ],
    ids=["folder", "pretrained", "head", "variants"],
)
def test_each_command_refuses_it_before_anything_is_read(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([*words, "--mlflow", "nope://x"]) == 1
    assert capsys.readouterr().err.startswith("error: 'nope://x' cannot be logged to")
