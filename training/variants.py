"""float32 graph ──▶ the same embedder in other precisions, each measured and kept only if it is worth it.

int8 is for CPUs, where it is kept if it is faster; fp16 is for GPUs and is kept whatever a CPU makes of it. Neither may
cost the hybrid, the head being the one fitted on float32 embeddings, more than `MAX_DROP` of its test accuracy.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

from models.manifest import InputSpec, Precision, Variant
from models.sessions import Embedder, Embedding, Head, cpu_session
from training.errors import ExportError
from training.heads import Lesson, embed
from training.images import Images, Indices
from training.metrics import errors, score
from training.quantize import quantize

OTHERS: tuple[Precision, ...] = ("int8", "fp16")
MAX_DROP = 0.002
"""Of test accuracy, or of R squared where the head names a number, against float32's."""
_CALIBRATION_PIXELS = 2_500_000  # 49 images of 224x224; more do no better, and quantizing these takes 3 GB
_MAX_CALIBRATION = 512
_ROUNDS, _RUNS = 15, 10


@dataclass(frozen=True)
class Trial:
    """What precisions are compared by.

    Attributes:
        images: the test images, uint8 `[T, H, W, C]`.
        head: decides on the embeddings of each precision.
        test: what the float32 graph gives for them, their labels and columns.
    """

    images: Images
    head: Head
    test: Lesson

    def figures(self, embedding: Embedding) -> dict[str, float]:
        """How the hybrid does with these embeddings of the test images, `[T, D]`."""
        found = self.head(embedding, self.test.rows)
        measure = score if self.head.spec.classes else errors
        return {f"test_{name}": round(value, 6) for name, value in asdict(measure(found, self.test.labels)).items()}


@dataclass(frozen=True)
class Variants:
    """What each precision measured, float32 first, and the graphs of those that were kept."""

    specs: tuple[Variant, ...]
    graphs: Mapping[Precision, bytes]

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """Those that were kept."""
        return tuple(spec.precision for spec in self.specs if spec.kept)


def make_variants(
    graph: bytes, calibration: NDArray[np.uint8], trial: Trial, precisions: Sequence[Precision] = OTHERS
) -> Variants:
    """Makes, measures and judges the embedder in other precisions.

    Args:
        graph: the embedder in float32.
        calibration: training images, uint8 `[N, H, W, C]`, that say how large activations become.
        trial: what they are compared by.
        precisions: which to make.
    """
    made: dict[Precision, bytes] = {"fp32": graph}
    refused: dict[Precision, str] = {}
    for precision in precisions:
        try:
            made[precision] = quantize(graph, calibration) if precision == "int8" else to_fp16(graph)
        except ExportError as error:
            refused[precision] = str(error)
    measured = _measure(made, trial)
    reasons = {precision: refusal(precision, measured) for precision in made}
    specs = [
        Variant(precision=precision, kept=not reasons[precision], reason=reasons[precision], metrics=metrics)
        for precision, metrics in measured.items()
    ]
    specs += [Variant(precision=precision, kept=False, reason=reason) for precision, reason in refused.items()]
    return Variants(tuple(specs), {precision: made[precision] for precision in made if not reasons[precision]})


def to_fp16(graph: bytes) -> bytes:
    """Halves weights and activations, but for the mean that is the embedding; input and output stay as they are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of weights too small for fp16, which the trial judges
        model = convert_float_to_float16(
            onnx.load_model_from_string(graph),
            keep_io_types=True,
            op_block_list=[*DEFAULT_OP_BLOCK_LIST, "ReduceMean"],
        )
    data: bytes = model.SerializeToString()
    return data


def calibration_images(images: Images, known: Indices, spec: InputSpec) -> NDArray[np.uint8]:
    """Some of the images at the positions `known`, which are not test images; the same ones every time."""
    count = min(_MAX_CALIBRATION, max(1, _CALIBRATION_PIXELS // (spec.height * spec.width)))
    chosen = np.random.default_rng(0).permutation(known)[:count]
    return images[np.sort(chosen)]


def time_alone_ms(
    sessions: Mapping[Precision, ort.InferenceSession], image: NDArray[np.uint8]
) -> dict[Precision, float]:
    """Milliseconds that each session takes for one image `[1, H, W, C]`: the least of several rounds, in turns."""
    fastest = dict.fromkeys(sessions, float("inf"))
    for _ in range(_ROUNDS):
        for precision, session in sessions.items():
            started = time.perf_counter()
            for _ in range(_RUNS):
                session.run(["embedding"], {"image": image})
            fastest[precision] = min(fastest[precision], (time.perf_counter() - started) / _RUNS * 1e3)
    return fastest


def refusal(precision: Precision, measured: Mapping[Precision, Mapping[str, float]]) -> str:
    """Why a precision is not kept; empty if it is."""
    found, float32 = measured[precision], measured["fp32"]
    figure, title = ("test_accuracy", "test accuracy") if "test_accuracy" in found else ("test_r2", "R squared")
    drop = float32[figure] - found[figure]
    if drop > MAX_DROP + 1e-9:
        return f"{title} is {found[figure]:.4f}, {drop:.4f} below fp32's; {MAX_DROP} is allowed"
    if precision == "int8" and found["ms_per_image"] >= float32["ms_per_image"]:
        return f"no faster on a CPU: {found['ms_per_image']:.3f} ms an image, fp32 {float32['ms_per_image']:.3f} ms"
    return ""


def _measure(graphs: Mapping[Precision, bytes], trial: Trial) -> dict[Precision, dict[str, float]]:
    sessions = {precision: cpu_session(graph) for precision, graph in graphs.items()}
    alone_ms = time_alone_ms(sessions, trial.images[np.arange(1)])
    measured = {}
    for precision, session in sessions.items():
        embedding = (
            trial.test.embedding
            if precision == "fp32"
            else embed(Embedder(session), trial.images, f"embedding test images in {precision}")
        )
        measured[precision] = {
            **trial.figures(embedding),
            "ms_per_image": round(alone_ms[precision], 4),
            "size_bytes": len(graphs[precision]),
        }
    return measured
