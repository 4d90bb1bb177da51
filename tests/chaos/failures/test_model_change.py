"""promote and rollback under load: no request fails, and each answer is of the model that it names."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from models.bundle.loading import Bundle
from models.imaging.decode import decode
from models.runtime.head_sessions import Head
from models.runtime.sessions import Embedder, cpu_session
from service.process.bundle_follower import FOLLOW_S
from tests.chaos.rig.reliability import Reliability
from tests.chaos.rig.servers import ROOT, Server, serving, until
from tests.chaos.rig.steady_load import Plan, Sample, load, outcomes
from tests.models.bundle.signing_keys import key_pair
from tests.models.remote.bundle_servers import s3_server
from tests.tiny_bundle import CLASSES, GREYS, solid_image, tiny_bundle

CHANGES = 20
SWITCHED_WITHIN_S = 3.0
DWELL_S = 0.2
IMAGES = tuple(solid_image(grey) for grey in (*GREYS.values(), 60, 200))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with versions 1 and 2 of `tiny`, which name the same classes the other way round."""
    root = tmp_path_factory.mktemp("store")
    tiny_bundle(root, version=1)
    tiny_bundle(root, version=2, classes=CLASSES[::-1], min_confidence=1.0)
    return root


@pytest.fixture(scope="module")
def shared_server(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    models(store, "promote", "tiny", "1", "--force")
    with serving(tmp_path_factory.mktemp("server"), store / "tiny", workers=2) as started:
        yield started


@pytest.fixture
def server(shared_server: Server, store: Path) -> Server:
    """The server, with version 1 served by both workers."""
    models(store, "promote", "tiny", "1", "--force")
    until(lambda: served_by(shared_server, 1) == 2, 20.0, "both workers serve version 1")
    return shared_server


def models(store: Path, *arguments: str) -> str:
    """Runs `python -m models`."""
    command = [sys.executable, "-m", "models", "--store", str(store), *arguments]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def served_by(server: Server, version: int) -> float:
    """Workers that serve a version."""
    return server.metric("tandem_model_info", model=f"tiny@{version}")


def expected(store: Path, version: int) -> list[dict[str, float]]:
    """What a version itself says of each of `IMAGES`: probabilities by class."""
    bundle = Bundle.open(store / "tiny" / str(version))
    spec = bundle.manifest.default_head
    pixels = np.stack([decode(image, bundle.manifest.input) for image in IMAGES])
    embedding = Embedder(cpu_session(bundle.embedder("fp32")))(pixels)
    rows = Head(cpu_session(bundle.head(spec)), spec)(embedding, [{}] * len(IMAGES))
    return [dict(zip(spec.classes, row.tolist(), strict=True)) for row in rows]


def plan(server: Server, folder: Path) -> Plan:
    files = []
    for number, image in enumerate(IMAGES):
        file = folder / f"image-{number}"
        file.write_bytes(image)
        files.append(str(file))
    return Plan(server.port, tuple(files), connections=16, rate=200, keep_answers=True)


def wrong(store: Path, samples: list[Sample]) -> list[Sample]:
    """Answers that are not what the model that they name says, or name two."""
    says = {f"tiny@{version}": expected(store, version) for version in (1, 2)}
    decisions = {"tiny@1": "accept", "tiny@2": "review"}

    def is_right(sample: Sample) -> bool:
        answer = json.loads(sample.answer)
        model = answer["model"]
        return (
            model == sample.model
            and model in says
            and answer["probabilities"] == pytest.approx(says[model][sample.body], abs=1e-5)
            and answer["decision"] == decisions[model]
        )

    return [sample for sample in samples if sample.outcome == "200" and not is_right(sample)]


def test_the_two_versions_contradict_each_other(store: Path) -> None:
    first, second = expected(store, 1), expected(store, 2)
    dark = CLASSES.index("dark")
    assert first[dark]["dark"] > 0.9 > 0.1 > second[dark]["dark"]


def test_a_new_champion_serves_from_every_worker_without_an_error(server: Server, store: Path, tmp_path: Path) -> None:
    with load(tmp_path, plan(server, tmp_path)) as generator:
        until(lambda: server.metric("tandem_images_total", result="ok") > 20, 5.0, "there is load")
        models(store, "promote", "tiny", "2", "--force")
        until(lambda: served_by(server, 2) == 2 and served_by(server, 1) == 0, SWITCHED_WITHIN_S, "version 2 serves")
        samples = generator.stop()
    assert set(outcomes(samples)) == {"200"}
    assert not wrong(store, samples)
    assert {sample.model for sample in samples} == {"tiny@1", "tiny@2"}


@pytest.mark.chaos
def test_20_changes_under_load_lose_and_mix_nothing(
    reliability: Reliability, server: Server, store: Path, tmp_path: Path
) -> None:
    changes, took_s = [], []
    with load(tmp_path, plan(server, tmp_path)) as generator:
        for number in range(CHANGES):
            version = 2 if number % 2 == 0 else 1
            models(store, *(("promote", "tiny", "2", "--force") if version == 2 else ("rollback", "tiny")))
            took_s.append(
                until(lambda version=version: served_by(server, version) == 2, 20.0, f"version {version} serves")
            )
            changes.append((version, time.monotonic()))
            time.sleep(DWELL_S)  # with it, before the next
        samples = generator.stop()
    failed, mixed = [s for s in samples if s.outcome != "200"], wrong(store, samples)
    late = [sample for change in changes for sample in stale(samples, *change)]
    reliability.record(
        f"model change: {CHANGES} promotions and rollbacks under load of 200 requests/s",
        "0 errors, 0 answers that are not of the model they name",
        f"{len(failed)} errors and {len(mixed)} wrong of {len(samples)} answers",
        not failed and not mixed,
    )
    reliability.record(
        "model change: both workers serve the new champion",
        f"≤ {SWITCHED_WITHIN_S:g} s",
        f"after {max(took_s):.1f} s at most by the metrics, and {len(late)} answers of the old one after that",
        max(took_s) <= SWITCHED_WITHIN_S and not late,
    )
    assert not failed, outcomes(samples)
    assert not mixed, mixed[:3]
    assert not late, late[:3]
    assert max(took_s) <= SWITCHED_WITHIN_S


def stale(samples: list[Sample], version: int, changed: float) -> list[Sample]:
    """Answers of another version to requests that were sent once both workers said that they serve this one."""
    return [s for s in samples if s.model != f"tiny@{version}" and changed < s.sent and s.done < changed + DWELL_S]


def test_a_corrupt_candidate_is_refused_and_the_old_one_keeps_serving(
    reliability: Reliability, server: Server, store: Path, tmp_path: Path
) -> None:
    corrupt = tiny_bundle(store, version=len(list((store / "tiny").glob("[0-9]*"))) + 1)
    head = corrupt / "head-shade.onnx"
    data = bytearray(head.read_bytes())
    data[len(data) // 2] ^= 0x10
    head.write_bytes(data)
    before = refusals(server)
    with load(tmp_path, plan(server, tmp_path)) as generator:
        write_champion(store, int(corrupt.name))
        until(lambda: refusals(server) >= before + 2, 10.0, "both workers have refused the candidate")
        once = refusals(server) - before
        models(store, "promote", "tiny", "2", "--force")
        until(lambda: served_by(server, 2) == 2, 10.0, "a good candidate after it serves")
        samples = generator.stop()
    named = [line for line in server.log_text().splitlines() if head.name in line]
    wrongly = [s for s in samples if s.outcome != "200"] + wrong(store, samples)
    met = not wrongly and once == 2 and len(named) == 2
    reliability.record(
        "model change: a corrupt candidate under load",
        "refused once by each of 2 workers, reason in the log, the old one keeps serving",
        f"{once:.0f} refusals counted, {len(named)} lines that name the file, "
        f"{len(wrongly)} of {len(samples)} answers wrong or missing",
        met,
    )
    assert met, (once, named, wrongly[:3])


def refusals(server: Server) -> float:
    return server.metric("tandem_model_changes_total", result="refused")


def write_champion(store: Path, version: int) -> None:
    """Past the audit of `python -m models promote`."""
    staging = store / "tiny" / ".champion-by-hand"
    staging.write_text(f"{version}\n")
    staging.replace(store / "tiny" / "champion")


@pytest.mark.parametrize("content", ["", "nine\n", "999\n", "1\n2\n"], ids=["empty", "a word", "unknown", "two"])
def test_a_damaged_champion_file_changes_nothing(content: str, server: Server, store: Path) -> None:
    champion = store / "tiny" / "champion"
    before = refusals(server)
    staging = champion.with_name(".champion-damaged")
    staging.write_text(content)
    staging.replace(champion)
    try:
        until(lambda: refusals(server) > before, 10.0, "the change is refused")
        answer = server.predict(IMAGES[0])
        assert (answer.status, answer.headers["x-tandem-model"]) == (200, "tiny@1")
    finally:
        write_champion(store, 1)


@pytest.mark.chaos
def test_a_bundle_in_object_storage_serves_and_its_promotions_are_followed(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = key_pair(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with s3_server(monkeypatch) as bucket:
        for version in ("1", "2"):
            models(store, "sign", f"tiny@{version}", "--key", str(pair.private))
        models(store, "push", "tiny@1", f"{bucket}/tiny")
        with serving(tmp_path, bundle=f"{bucket}/tiny", workers=2, verify_key=pair.public) as server:
            assert server.predict(IMAGES[0]).document["model"] == "tiny@1"
            models(store, "push", "tiny@2", f"{bucket}/tiny", "--promote", "--force")
            until(lambda: served_by(server, 2) == 2, FOLLOW_S + SWITCHED_WITHIN_S, "both workers serve version 2")

            unsigned = tiny_bundle(tmp_path / "unsigned", version=3, name="tiny")
            models(unsigned.parent.parent, "push", "tiny@3", f"{bucket}/tiny", "--promote", "--force")
            until(lambda: "model.sig: missing" in server.log_text(), FOLLOW_S + SWITCHED_WITHIN_S, "it is refused")
            assert server.predict(IMAGES[0]).document["model"] == "tiny@2"
