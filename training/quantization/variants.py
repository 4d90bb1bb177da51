"""float32 graph ──▶ the same embedder in other precisions, each measured and kept only if it is worth it.

int8 is for CPUs and is kept if it is faster there; fp16 is for GPUs and is kept whatever its speed on a CPU. Neither
may cost more than `MAX_DROP` of the head's accuracy on held-out images, with the head fitted on float32 embeddings.
Test images select nothing: the accuracy on them is only reported.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

from models.bundle.input_spec import InputSpec
from models.bundle.manifest import Precision, Variant
from models.runtime.sessions import Embedder, cpu_session
from training.data.images import Images, Indices
from training.exceptions import ExportError
from training.quantization.precision_trial import OTHERS, Trial, Variants
from training.quantization.products import quantize_products
from training.quantization.quantize import NoRuleError, quantize

MAX_DROP = 0.002
"""Largest drop of accuracy, or of R squared for numbers, below float32's."""
_CALIBRATION_PIXELS = 2_500_000  # 49 images of 224x224; more do no better, and quantizing these takes 3 GB
_MAX_CALIBRATION = 512
_ROUNDS, _RUNS = 15, 10


def make_variants(
    graph: bytes,
    calibration: NDArray[np.uint8],
    trial: Trial,
    test: Trial | None = None,
    precisions: Sequence[Precision] = OTHERS,
) -> Variants:
    """Makes the embedder in other precisions, measures each, and keeps those that are worth it.

    Args:
        graph: the embedder in float32.
        calibration: training images, uint8 `[N, H, W, C]`, that give the range of activations.
        trial: held-out images, which decide what is kept.
        test: test images, on which the kept ones are measured, too.
        precisions: which to make.
    """
    made: dict[Precision, bytes] = {"fp32": graph}
    refused: dict[Precision, str] = {}
    for precision in precisions:
        try:
            made[precision] = to_int8(graph, calibration) if precision == "int8" else to_fp16(graph)
        except ExportError as error:
            refused[precision] = str(error)
    measured = _measure(made, trial)
    reasons = {precision: refusal(precision, measured) for precision in made}
    if test is not None:
        for precision in (precision for precision in made if not reasons[precision]):
            measured[precision] = {**_figures(precision, made[precision], test), **measured[precision]}
    specs = [
        Variant(precision=precision, kept=not reasons[precision], reason=reasons[precision], metrics=metrics)
        for precision, metrics in measured.items()
    ]
    specs += [Variant(precision=precision, kept=False, reason=reason) for precision, reason in refused.items()]
    return Variants(tuple(specs), {precision: made[precision] for precision in made if not reasons[precision]})


def to_int8(graph: bytes, calibration: NDArray[np.uint8]) -> bytes:
    """Converts to 8 bits: all of the network where there is a rule for each operator, else its products with weights.

    Raises:
        ExportError: the network's structure is not supported.
    """
    try:
        return quantize(graph, calibration)
    except NoRuleError:
        return quantize_products(graph, calibration)


def to_fp16(graph: bytes) -> bytes:
    """Converts weights and activations to fp16; the final mean, input and output stay in float32."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about weights too small for fp16; the trial measures their effect
        model = convert_float_to_float16(
            onnx.load_model_from_string(graph),
            keep_io_types=True,
            op_block_list=[*DEFAULT_OP_BLOCK_LIST, "ReduceMean"],
        )
    data: bytes = model.SerializeToString()
    return data


def calibration_images(images: Images, known: Indices, spec: InputSpec) -> NDArray[np.uint8]:
    """Some of the images at the positions `known`, the same ones every time."""
    count = min(_MAX_CALIBRATION, max(1, _CALIBRATION_PIXELS // (spec.height * spec.width)))
    chosen = np.random.default_rng(0).permutation(known)[:count]
    return images[np.sort(chosen)]


def time_alone_ms(
    sessions: Mapping[Precision, ort.InferenceSession], image: NDArray[np.uint8]
) -> dict[Precision, float]:
    """Milliseconds that each session takes for one image `[1, H, W, C]`: the best of several interleaved rounds."""
    fastest = dict.fromkeys(sessions, float("inf"))
    for _ in range(_ROUNDS):
        for precision, session in sessions.items():
            started = time.perf_counter()
            for _ in range(_RUNS):
                session.run(["embedding"], {"image": image})
            fastest[precision] = min(fastest[precision], (time.perf_counter() - started) / _RUNS * 1e3)
    return fastest


def refusal(precision: Precision, measured: Mapping[Precision, Mapping[str, float]]) -> str:
    """The reason why a precision is not kept; empty if it is."""
    found, float32 = measured[precision], measured["fp32"]
    figure, title = ("held_out_r2", "R squared") if "held_out_r2" in found else ("held_out_accuracy", "accuracy")
    if precision != "fp32" and figure not in found:
        return "there are no held-out images to validate it with"
    drop = float32.get(figure, 0.0) - found.get(figure, 0.0)
    if drop > MAX_DROP + 1e-9:
        return f"held-out {title} is {found[figure]:.4f}, {drop:.4f} below fp32's; {MAX_DROP} is allowed"
    if precision == "int8" and found["ms_per_image"] >= float32["ms_per_image"]:
        return f"no faster on a CPU: {found['ms_per_image']:.3f} ms an image, fp32 {float32['ms_per_image']:.3f} ms"
    return ""


def _measure(graphs: Mapping[Precision, bytes], trial: Trial) -> dict[Precision, dict[str, float]]:
    sessions = {precision: cpu_session(graph) for precision, graph in graphs.items()}
    alone_ms = time_alone_ms(sessions, np.zeros((1, *trial.image_shape), np.uint8))
    return {
        precision: {
            **_figures(precision, graph, trial),
            "ms_per_image": round(alone_ms[precision], 4),
            "size_bytes": len(graph),
        }
        for precision, graph in graphs.items()
    }


def _figures(precision: Precision, graph: bytes, trial: Trial) -> dict[str, float]:
    if precision == "fp32":
        return trial.figures(trial.rows.embedding)
    title = f"embedding {trial.name.replace('_', '-')} images in {precision}"
    return trial.figures(trial.embedded(Embedder(cpu_session(graph)), title))
