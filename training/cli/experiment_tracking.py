"""written bundle ──▶ MLflow: a run with parameters, figures and files, and a version of the registered model.

The only file that imports MLflow; `mlflow-skinny` is enough.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from models.bundle.head_spec import HeadSpec
from models.bundle.loading import Bundle
from models.bundle.manifest import Manifest
from models.bundle.model_card import model_card
from training.exceptions import TrackingError

EXPERIMENT = "tandem"
_PORTS = {"http": 80, "https": 443}
_LONGEST_VALUE, _LONGEST_NAME = 6000, 250  # MLflow's limits of a parameter, in characters


def add_tracking(command: argparse.ArgumentParser) -> None:
    """Adds the option that logs the training."""
    command.add_argument(
        "--mlflow", metavar="URI",
        help="log parameters, figures and the bundle there, and register it: http://host:5000, or a folder",
    )  # fmt: skip


def check_tracking(uri: str | None) -> None:
    """Checks before a training that there is something to log to, if it is to be logged.

    Raises:
        TrackingError: there is not, or the package is missing.
    """
    if uri is None:
        return
    try:
        address = urlsplit(uri)
        if address.scheme in _PORTS:  # MLflow tries a server that is not there for four minutes
            socket.create_connection((address.hostname or "", address.port or _PORTS[address.scheme]), 5).close()
        _client(uri).search_experiments(max_results=1)
    except Exception as error:  # MLflow has one exception for itself, and lets others through
        raise TrackingError(f"{uri!r} cannot be logged to: {_line(error)}") from error


def log_bundle(path: Path, uri: str) -> str:
    """Logs a bundle's training and registers the bundle; returns a sentence that says as what.

    Raises:
        TrackingError: MLflow refuses; the bundle is written all the same.
    """
    manifest = Bundle.open(path).manifest
    try:
        return _log(path, manifest, _client(uri))
    except Exception as error:
        raise TrackingError(f"{path} is written, but not logged in {uri}: {_line(error)}") from error


def _log(path: Path, manifest: Manifest, client: Any) -> str:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    experiment_id = experiment.experiment_id if experiment else client.create_experiment(EXPERIMENT)
    run = client.create_run(
        experiment_id, run_name=manifest.model, tags={"mlflow.note.content": model_card(manifest)}
    ).info
    status = "FAILED"
    try:
        for name, value in _parameters(manifest):
            client.log_param(run.run_id, name, value)
        for name, figure in _figures(manifest):
            client.log_metric(run.run_id, name, figure)
        client.log_artifacts(run.run_id, str(path), "bundle")
        version = _register(client, manifest, source=f"{run.artifact_uri}/bundle", run_id=run.run_id)
        status = "FINISHED"
    finally:
        client.set_terminated(run.run_id, status)
    return f"logged as run {run.run_id} of the experiment {EXPERIMENT}, registered as {manifest.name} version {version}"


def _register(client: Any, manifest: Manifest, **source: str) -> str:
    if not client.search_registered_models(f"name = '{manifest.name}'"):
        client.create_registered_model(manifest.name)
    tags = {"tandem.model": manifest.model}
    return str(client.create_model_version(manifest.name, tags=tags, **source).version)


def _parameters(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """What the manifest says of the training, one level below another with a dot between."""
    for head in manifest.heads:
        entry = dict(manifest.training_of(head.name))
        entry.pop("heads", None)
        for name, value in _flat(entry):
            key = re.sub(r"[^\w .\-/]", "_", f"{_prefix(manifest, head)}{name}")
            yield key[:_LONGEST_NAME], str(value)[:_LONGEST_VALUE]


def _flat(entry: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in entry.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _figures(manifest: Manifest) -> Iterator[tuple[str, float]]:
    """Figures of each head; those of single classes are in the report."""
    for head in manifest.heads:
        for name, value in head.metrics.items():
            if isinstance(value, int | float):
                yield f"{_prefix(manifest, head)}{name}", float(value)


def _prefix(manifest: Manifest, head: HeadSpec) -> str:
    return "" if head == manifest.default_head else f"{head.name}."


def _client(uri: str) -> Any:
    """MLflow's client.

    Raises:
        TrackingError: the package is missing.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    if "://" not in uri or uri.startswith("file:"):
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # MLflow 3 wants to hear that a folder is meant
    try:
        from mlflow.tracking import MlflowClient  # noqa: PLC0415 (seconds, and an extra)
    except ImportError as error:
        raise TrackingError(f"MLflow is not installed ({error}); `pip install 'tandem[mlflow]'`") from error
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
