"""The clients of Triton and KServe and `perf_analyzer`, against a running server, over HTTP and gRPC."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import struct
import subprocess
import sys
import venv
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.grpc.aio as triton_grpc_async
import tritonclient.http as triton_http
import tritonclient.http.aio as triton_http_async
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

from models.bundle.store import DEFAULT_ROOT
from service.api.body.bodies import PACKED
from tests.chaos.rig.servers import HOST, free_port, serving
from tests.clients.perf_analyzer import perf_analyzer
from tests.test_default_bundle import MIN_ACCURACY
from tests.tiny_bundle import GREYS, solid_image
from training.data import fashion_mnist
from training.export.bundle_files import encode_png

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # gevent's and grpc's own
]
PROGRAMS = Path(__file__).with_name("programs")
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples" / "clients"
ENVIRONMENT = Path(__file__).parents[2] / "build" / "clients" / "kserve"
KSERVE = "kserve==0.21.0"
IMAGE, DARK, BAD = solid_image(GREYS["mid"]), solid_image(GREYS["dark"]), b"no image"
IN_FLIGHT = 16
IMAGES = 10_000


class Addresses(NamedTuple):
    """Where a server answers."""

    model: str
    http: str
    grpc: str


@pytest.fixture(scope="module")
def tiny(tiny_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    port = free_port()
    with serving(tmp_path_factory.mktemp("clients"), tiny_path, workers=2, grpc_port=port) as server:
        yield Addresses("tiny", server.url, f"{HOST}:{port}")


@pytest.fixture(scope="module")
def clothes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    port = free_port()
    bundle = DEFAULT_ROOT / "fashion-mnist"
    with serving(tmp_path_factory.mktemp("clothes"), bundle, workers=2, grpc_port=port) as server:
        yield Addresses("fashion-mnist", server.url, f"{HOST}:{port}")


def tensor(module: Any, *images: bytes, **options: Any) -> Any:
    given = module.InferInput("image", [len(images)], "BYTES")
    given.set_data_from_numpy(np.array([*images, None], dtype=object)[:-1], **options)
    return given


def client_of(module: Any, addresses: Addresses) -> Any:
    is_grpc = module in (triton_grpc, triton_grpc_async)
    return module.InferenceServerClient(addresses.grpc if is_grpc else addresses.http.removeprefix("http://"))


@pytest.mark.parametrize("module", [triton_http, triton_grpc])
def test_tritonclient_asks_for_everything_there_is(tiny: Addresses, module: Any) -> None:
    client = client_of(module, tiny)
    as_json = {"as_json": True} if module is triton_grpc else {}
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("tiny")
    assert client.is_model_ready("tiny", "1")
    assert client.get_server_metadata(**as_json)["name"] == "tandem"
    assert client.get_model_metadata("tiny", **as_json)["inputs"][0]["datatype"] == "BYTES"
    config = client.get_model_config("tiny", **as_json)
    assert config.get("config", config)["name"] == "tiny"
    assert client.get_inference_statistics("tiny", **as_json)["model_stats"][0]["name"] == "tiny"
    index = client.get_model_repository_index(**as_json)
    assert (index["models"] if module is triton_grpc else index)[0]["name"] == "tiny"
    for change in (client.load_model, client.unload_model):
        with pytest.raises(InferenceServerException, match="promote"):
            change("tiny")
    client.close()


@pytest.mark.parametrize("module", [triton_http, triton_grpc])
def test_tritonclient_infers(tiny: Addresses, module: Any) -> None:
    client = client_of(module, tiny)
    result = client.infer("tiny", [tensor(module, IMAGE, DARK)], request_id="7")
    assert list(result.as_numpy("shade.label")) == [b"mid", b"dark"]
    assert result.as_numpy("shade.probabilities").shape == (2, 3)
    assert result.as_numpy("shade.probabilities").dtype == np.float32
    asked = [module.InferRequestedOutput("embedding"), module.InferRequestedOutput("shade.decision")]
    result = client.infer("tiny", [tensor(module, IMAGE)], outputs=asked)
    assert result.as_numpy("embedding").shape == (1, 4)
    assert list(result.as_numpy("shade.decision")) == [b"accept"]
    with pytest.raises(InferenceServerException, match="image 1: unsupported_type"):
        client.infer("tiny", [tensor(module, IMAGE, BAD)])
    with pytest.raises(InferenceServerException, match="'tiny' is served"):
        client.infer("huge", [tensor(module, IMAGE)])
    client.close()


def test_tritonclient_infers_over_http_in_json_and_compressed(tiny: Addresses) -> None:
    client = client_of(triton_http, tiny)
    text = base64.b64encode(IMAGE)
    answer = client.infer(
        "tiny",
        [tensor(triton_http, text, binary_data=False)],
        outputs=[triton_http.InferRequestedOutput("shade.label", binary_data=False)],
    )
    assert list(answer.as_numpy("shade.label")) == ["mid"]
    for algorithm in ("gzip", "deflate"):
        answer = client.infer("tiny", [tensor(triton_http, IMAGE)], request_compression_algorithm=algorithm)
        assert list(answer.as_numpy("shade.label")) == [b"mid"]
    client.close()


@pytest.mark.parametrize("module", [triton_http, triton_grpc])
def test_tritonclient_infers_with_callbacks(tiny: Addresses, module: Any) -> None:
    client = client_of(module, tiny)
    if module is triton_http:
        waiting = [client.async_infer("tiny", [tensor(module, IMAGE)]) for _ in range(8)]
        results = [each.get_result() for each in waiting]
    else:
        results = []
        for _ in range(8):
            client.async_infer("tiny", [tensor(module, IMAGE)], lambda result, error: results.append(error or result))
        asyncio.run(until_full(results, 8))
    assert [list(result.as_numpy("shade.label")) for result in results] == [[b"mid"]] * 8
    client.close()


async def until_full(results: list[Any], count: int) -> None:
    async with asyncio.timeout(10):
        while len(results) < count:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("module", [triton_http_async, triton_grpc_async])
def test_tritonclient_infers_asynchronously(tiny: Addresses, module: Any) -> None:
    async def test() -> None:
        client = client_of(module, tiny)
        assert await client.is_server_ready()
        result = await client.infer("tiny", [tensor(module, IMAGE)])
        assert list(result.as_numpy("shade.label")) == [b"mid"]
        with pytest.raises(InferenceServerException, match="image 0: unsupported_type"):
            await client.infer("tiny", [tensor(module, BAD)])
        await client.close()

    asyncio.run(test())


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_the_documented_program_asks_by_either_protocol(tiny: Addresses, tmp_path: Path, protocol: str) -> None:
    files = [tmp_path / name for name in ("mid.png", "dark.png", "bad.png")]
    for file, data in zip(files, (IMAGE, DARK, BAD), strict=True):
        file.write_bytes(data)
    address = {"GRPC_ADDRESS": tiny.grpc} if protocol == "grpc" else {"SERVER_URL": tiny.http}

    def ask(*images: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "ignore", str(EXAMPLES / "predict_triton.py"), "tiny", *map(str, images)]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, env={**os.environ, **address}, check=False
        )

    assert ask(*files[:2]).stdout.splitlines() == [f"{files[0]} mid accept", f"{files[1]} dark accept"]
    done = ask(*files)
    assert (done.returncode, done.stderr.startswith("image 2: unsupported_type: ")) == (1, True), done


def test_kserves_clients_infer(tiny: Addresses, tmp_path: Path) -> None:
    python = ENVIRONMENT / "bin" / "python"
    if not (ENVIRONMENT / "installed").is_file():
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        if subprocess.run([python, "-m", "pip", "install", "--quiet", KSERVE], check=False).returncode != 0:
            pytest.skip(f"{KSERVE} cannot be installed")
        (ENVIRONMENT / "installed").touch()
    image = tmp_path / "image.png"
    image.write_bytes(IMAGE)
    command = [str(python), "-W", "ignore", str(PROGRAMS / "kserve_client.py"), *tiny, str(image)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        *["True True True"] * 2,
        *["shade.label mid"] * 3,
        "HTTPStatusError True",
        "AioRpcError True",
    ]


@pytest.mark.parametrize("concurrency", [1, 16])
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_perf_analyzer_finishes_without_a_failure(
    clothes: Addresses, tmp_path: Path, protocol: str, concurrency: int
) -> None:
    images = [(Path("docs/examples") / f"{name}.png").read_bytes() for name in ("sneaker", "bag", "shirt")]
    data = [
        {"image": {"b64": base64.b64encode(struct.pack("<I", len(one)) + one).decode(), "shape": [1]}} for one in images
    ]
    inputs = tmp_path / "inputs.json"
    inputs.write_text(json.dumps({"data": data}))
    address = clothes.grpc if protocol == "grpc" else clothes.http.removeprefix("http://")
    command = [*perf_analyzer(), "-m", clothes.model, "-u", address, "-i", protocol, "--input-data", str(inputs)]
    command += ["--concurrency-range", str(concurrency), "--request-count", "2000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Request count: 2000" in done.stdout, done.stdout
    assert "Failed request count" not in done.stdout
    throughput = re.search(r"Throughput: ([\d.]+)", done.stdout)
    assert throughput is not None
    print(f"perf_analyzer over {protocol}, {concurrency} at a time: 2000 requests, {throughput[1]}/s")


@pytest.fixture(scope="module")
def test_set() -> tuple[list[bytes], NDArray[np.int64], tuple[str, ...]]:
    """The test images as PNG, their labels and the names of those."""
    if not fashion_mnist.DEBIAN_FOLDER.is_dir():
        pytest.skip("the data set is not installed: Debian's package dataset-fashion-mnist")
    dataset = fashion_mnist.load()
    assert dataset.official_test is not None
    taken = dataset.official_test[:IMAGES]
    return [encode_png(dataset.images[i]) for i in taken], dataset.labels[taken], tuple(dataset.classes)


@pytest.fixture(scope="module")
def predicted(clothes: Addresses, test_set: tuple[list[bytes], Any, Any]) -> list[dict[str, Any]]:
    """What `/v1/predict` says of them."""
    found: list[dict[str, Any]] = []
    with httpx.Client(base_url=clothes.http, timeout=30) as client:
        for start in range(0, len(test_set[0]), 100):
            packed = b"".join(struct.pack("<I", len(one)) + one for one in test_set[0][start : start + 100])
            response = client.post("/v1/predict", content=packed, headers={"content-type": PACKED})
            found += response.raise_for_status().json()["predictions"]
    return found


@asynccontextmanager
async def asking(module: Any, addresses: Addresses) -> AsyncIterator[Any]:
    client = client_of(module, addresses)
    try:
        yield client
    finally:
        await client.close()


@pytest.mark.parametrize("module", [triton_http_async, triton_grpc_async], ids=["HTTP", "gRPC"])
def test_10_000_images_are_answered_as_by_predict(
    clothes: Addresses, test_set: Any, predicted: list[dict[str, Any]], module: Any
) -> None:
    images, labels, classes = test_set
    found: dict[int, tuple[str, str, Any]] = {}

    async def ask(client: Any, numbers: Iterator[int]) -> None:
        for number in numbers:
            result = await client.infer("fashion-mnist", [tensor(module, images[number])])
            texts = [result.as_numpy(f"category.{what}")[0].decode() for what in ("label", "decision")]
            found[number] = texts[0], texts[1], result.as_numpy("category.probabilities")[0]

    async def test() -> None:
        numbers = iter(range(len(images)))
        async with asking(module, clothes) as client:
            await asyncio.gather(*(ask(client, numbers) for _ in range(IN_FLIGHT)))

    asyncio.run(test())
    assert len(found) == len(images)
    for number, wanted in enumerate(predicted):
        label, decision, probabilities = found[number]
        assert (label, decision) == (wanted["label"], wanted["decision"])
        assert dict(zip(classes, probabilities.tolist(), strict=True)) == pytest.approx(
            wanted["probabilities"], abs=1e-5
        )
    accuracy = np.mean([found[number][0] == classes[label] for number, label in enumerate(labels)])
    print(f"{len(found)} images, {IN_FLIGHT} at a time: accuracy {accuracy:.4f}")
    assert accuracy >= MIN_ACCURACY
