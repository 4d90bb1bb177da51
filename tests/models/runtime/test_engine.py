"""Embedder and head on one bundle: decisions, batches, the golden check, padding for a GPU."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.bundle.head_spec import HeadSpec
from models.bundle.loading import Bundle
from models.devices.batch_buckets import BucketEmbedder
from models.devices.placement import Placement
from models.errors import BundleError, DeviceError, StoreError, TandemError
from models.imaging.decode import decode
from models.runtime.engine import Engine
from models.runtime.engine_types import EngineInput, Instance, Result
from models.runtime.sessions import Embedder, Probabilities, cpu_session
from tests.models.devices.gpus import GraphSession
from tests.tiny_bundle import CLASSES, COLUMNS, GREYS, solid_image, tiny_bundle


def image_of(engine: Engine, grey: int, columns: dict | None = None) -> EngineInput:
    return EngineInput(decode(solid_image(grey), engine.manifest.input), {head_of(engine).name: columns or {}})


def head_of(engine: Engine) -> HeadSpec:
    (head,) = engine.default
    return head


def probabilities(engine: Engine, result: Result) -> Probabilities:
    return result.decisions[head_of(engine).name].output


def run(engine: Engine, inputs: list[EngineInput]) -> list[Result]:
    return engine.run(inputs, [0.25] * len(inputs))


@pytest.mark.parametrize("label", CLASSES)
def test_a_plain_image_gets_its_obvious_class(engine: Engine, label: str) -> None:
    (result,) = run(engine, [image_of(engine, GREYS[label])])
    assert CLASSES[int(probabilities(engine, result).argmax())] == label
    assert probabilities(engine, result).sum() == pytest.approx(1, abs=1e-5)


def test_a_batch_of_32_equals_the_same_32_one_by_one(engine: Engine) -> None:
    random = np.random.default_rng(7)
    inputs = [EngineInput(random.integers(0, 256, (8, 8, 1), np.uint8), {"shade": {}}) for _ in range(32)]
    alone = [run(engine, [each])[0] for each in inputs]
    for together, one in zip(run(engine, inputs), alone, strict=True):
        np.testing.assert_allclose(together.embedding, one.embedding, atol=1e-5)
        np.testing.assert_allclose(probabilities(engine, together), probabilities(engine, one), atol=1e-5)


def test_images_that_want_no_decision_get_none_beside_those_that_do(engine: Engine) -> None:
    decided, embedded = image_of(engine, 30), image_of(engine, 225)._replace(asked={})
    results = run(engine, [embedded, decided, embedded])
    assert [len(result.decisions) for result in results] == [0, 1, 0]
    assert probabilities(engine, results[1]).argmax() == 0
    np.testing.assert_allclose(results[0].embedding[0], 225 / 255, atol=1e-3)


def test_a_batch_that_wants_embeddings_alone_does_not_ask_the_head(engine: Engine) -> None:
    inputs = [image_of(engine, grey)._replace(asked={}) for grey in (30, 225)]
    assert [result.decisions for result in run(engine, inputs)] == [{}, {}]


def test_columns_reach_the_head_row_by_row(priced_engine: Engine) -> None:
    spec = head_of(priced_engine)
    rows = [{"shift": 0.0}, {"shift": 0.0, "force": "bright"}, {"shift": 0.8}, {"shift": 0.0, "invert": True}]
    inputs = [image_of(priced_engine, GREYS["dark"], spec.check_columns(row)) for row in rows]
    labels = [CLASSES[int(probabilities(priced_engine, result).argmax())] for result in run(priced_engine, inputs)]
    assert labels == ["dark", "bright", "bright", "bright"]


def test_each_head_decides_for_those_who_ask_it(tmp_path: Path) -> None:
    engine = Engine.load(tiny_bundle(tmp_path, heads={"shade": (), "priced": COLUMNS}), device="cpu")
    pixels = decode(solid_image(GREYS["dark"]), engine.manifest.input)
    priced = {column.name: None for column in COLUMNS} | {"shift": 0.8}
    asked = [{"shade": {}}, {"priced": priced}, {"shade": {}, "priced": priced}, {}]
    decided = [
        {name: CLASSES[int(found.output.argmax())] for name, found in result.decisions.items()}
        for result in run(engine, [EngineInput(pixels, each) for each in asked])
    ]
    assert decided == [{"shade": "dark"}, {"priced": "bright"}, {"shade": "dark", "priced": "bright"}, {}]


def test_a_result_tells_how_long_each_stage_took(engine: Engine) -> None:
    (result,) = run(engine, [image_of(engine, 30)])
    assert result.queue_s == 0.25
    assert 0 < result.embed_s < 10
    assert 0 < result.decide_s < 10


def test_a_store_entry_loads_its_champion(tiny_path: Path) -> None:
    assert Engine.load(tiny_path.parent, device="cpu").manifest.model == "tiny@1"


@pytest.mark.parametrize("golden", ["golden/embedding.npy", "golden/probabilities-shade.npy"])
def test_a_bundle_that_computes_something_else_than_recorded_is_refused(tiny_path: Path, golden: str) -> None:
    bundle = Bundle.open(tiny_path)
    array = bundle.golden_array(Path(golden).stem)
    changed = bundle.files[golden].replace(array.tobytes(), (array + 0.5).tobytes())
    damaged = dataclasses.replace(bundle, files={**bundle.files, golden: changed})
    placement = Placement(Embedder(cpu_session(bundle.embedder("fp32"))), "cpu", "fp32")
    with pytest.raises(BundleError, match="golden results differ by"):
        Engine(damaged, placement, max_batch=4)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        pytest.param(lambda path: (path / "report.html").unlink(), BundleError, id="a file is missing"),
        pytest.param(lambda path: (path / "extra").touch(), BundleError, id="a file is extra"),
        pytest.param(lambda path: path.rename(path.parent / "moved"), BundleError, id="nothing is there"),
        pytest.param(lambda path: (path / "manifest.json").rename(path / "champion"), StoreError, id="no such version"),
    ],
)
def test_a_bundle_that_is_not_whole_is_refused(
    tiny_copy: Path, change: Callable[[Path], object], error: type[TandemError]
) -> None:
    change(tiny_copy)
    with pytest.raises(error):
        Engine.load(tiny_copy, device="cpu")


def test_one_flipped_byte_in_any_file_is_refused_by_name(tiny_copy: Path) -> None:
    for file in sorted(path for path in tiny_copy.rglob("*") if path.is_file()):
        whole = file.read_bytes()
        file.write_bytes(whole[:-2] + bytes([whole[-2] ^ 1]) + whole[-1:])
        with pytest.raises(BundleError, match=re.escape(file.relative_to(tiny_copy).as_posix())):
            Engine.load(tiny_copy, device="cpu")
        file.write_bytes(whole)


def test_a_precision_that_the_bundle_lacks_is_refused(tiny_path: Path) -> None:
    with pytest.raises(DeviceError, match="precision 'fp16'"):
        Engine.load(tiny_path, device="cpu", precision="fp16")


def test_on_a_gpu_the_engine_serves_what_was_captured_at_its_start(tiny_path: Path) -> None:
    bundle = Bundle.open(tiny_path)
    session = GraphSession(cpu_session(bundle.embedder("fp32")))
    embedder = BucketEmbedder(session, bundle.manifest, 4, memory="cpu")
    embedder.warm_up(graphs=True)
    engine = Engine(bundle, Placement(embedder, "cuda", "fp32"), max_batch=4)
    assert engine.max_batch == 4
    session.runs.clear()
    (result, *_) = run(engine, [image_of(engine, 225)] * 3)
    assert session.runs == ["replay 4"]
    np.testing.assert_allclose(result.embedding[0], 225 / 255, atol=1e-3)


def test_where_a_bundle_pools_an_image_is_an_instance_of_its_own(pooling_engine: Engine) -> None:
    engine = pooling_engine
    (result,) = run(engine, [image_of(engine, GREYS["bright"])])
    assert CLASSES[int(probabilities(engine, result).argmax())] == "bright"
    assert (result.embedding.shape, result.row.shape) == ((4,), (8,))
    assert result.photos is None


def test_an_instance_is_decided_on_by_all_of_its_images(pooling_engine: Engine) -> None:
    engine, head = pooling_engine, head_of(pooling_engine).name
    photos = run(engine, [image_of(engine, grey)._replace(asked={}) for grey in (GREYS["dark"], GREYS["bright"])])
    alone, both = engine.decide([Instance(photos[:1], {head: {}}), Instance(photos, {head: {}})], [0.0, 0.5])
    assert CLASSES[int(probabilities(engine, alone).argmax())] == "dark"
    assert CLASSES[int(probabilities(engine, both).argmax())] == "mid"
    assert both.photos is not None
    np.testing.assert_array_equal(both.photos, [photo.embedding for photo in photos])


def test_equal_images_are_decided_on_exactly_as_one(pooling_engine: Engine) -> None:
    engine, head = pooling_engine, head_of(pooling_engine).name
    photos = run(engine, [image_of(engine, 77)._replace(asked={})] * 3)
    one, three = engine.decide([Instance(photos[:1], {head: {}}), Instance(photos, {head: {}})], [0.0, 0.0])
    (alone,) = run(engine, [image_of(engine, 77)])
    for each in (one, three):
        assert each.row.tobytes() == alone.row.tobytes()
        assert probabilities(engine, each).tobytes() == probabilities(engine, alone).tobytes()


def test_the_time_of_a_batch_counts_once_for_the_images_of_an_instance(pooling_engine: Engine) -> None:
    (photo,) = run(pooling_engine, [image_of(pooling_engine, 77)._replace(asked={}, decode_s=0.01)])
    photos = [photo._replace(queue_s=0.2, embed_s=3.0), photo._replace(queue_s=0.2, embed_s=3.0)]
    photos += [photo._replace(queue_s=3.3, embed_s=1.0)]
    (result,) = pooling_engine.decide([Instance(photos, {"level": {}})], [0.5])
    assert (result.decode_s, result.queue_s, result.embed_s) == pytest.approx((0.03, 0.7, 4.0))
    assert result.decide_s > 0
