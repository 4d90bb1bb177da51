"""GPUs for tests: whether there is one, and a session on the CPU that behaves as one with CUDA graphs does."""

from __future__ import annotations

import shutil
import subprocess
import threading
from types import SimpleNamespace
from typing import Any

import onnxruntime as ort
import pytest
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from models.devices.node_assignment import assigned
from models.devices.tensorrt import load_tensorrt
from models.errors import DeviceError

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"


def has_cuda() -> bool:
    """Whether CUDA can really be used; ONNX Runtime lists it on machines that have none, too."""
    smi = shutil.which("nvidia-smi")
    if CUDA not in ort.get_available_providers() or smi is None:
        return False
    return subprocess.run([smi], capture_output=True, check=False).returncode == 0


def has_tensorrt() -> bool:
    """Whether TensorRT can be loaded, too."""
    if not has_cuda():
        return False
    ort.preload_dlls()
    try:
        return load_tensorrt() > 0
    except DeviceError:
        return False


needs_cuda = pytest.mark.skipif(not has_cuda(), reason="onnxruntime has no CUDA device on this machine")
needs_none = pytest.mark.skipif(has_cuda(), reason="this machine has a CUDA device")
needs_tensorrt = pytest.mark.skipif(not has_tensorrt(), reason="there is no TensorRT on this machine")


class GraphSession:
    """A CPU session that says it is on a GPU, and captures and replays as ONNX Runtime's CUDA provider does.

    A graph belongs to the thread that captured it, and its replay knows only the buffers that were captured.

    Args:
        session: computes.
        provider: whose session it says to be.
        fault: of its graphs: `none captured` runs everything again, `capture fails` raises, `replay does nothing` and
            `replay is stale` answer without computing.
        cpu_nodes: operators that it says the CPU runs, beside the network's.
        on_cpu: operators of the network that it says the CPU runs.
        network_on: the provider that it says the network's nodes were given to.
    """

    def __init__(
        self,
        session: ort.InferenceSession,
        provider: str = CUDA,
        *,
        fault: str = "",
        cpu_nodes: tuple[str, ...] = (),
        on_cpu: tuple[str, ...] = (),
        network_on: str | None = None,
    ) -> None:
        self._session = session
        self._provider = provider
        self._fault = fault
        self._cpu_nodes = cpu_nodes
        self._on_cpu = on_cpu
        self._network_on = network_on or provider
        self._captured: dict[tuple[int, int], ort.IOBinding] = {}
        self.runs: list[str] = []
        """`run 4`, `capture 4`, `replay 4`: what was done, and for which graph."""
        self.threads: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def get_providers(self) -> list[str]:
        return [self._provider, CPU]

    def get_provider_graph_assignment_info(self) -> list[SimpleNamespace]:
        network = [operator for _, operator in assigned(self._session)]
        placed = [(CPU if operator in self._on_cpu else self._network_on, operator) for operator in network]
        placed += [(CPU, operator) for operator in self._cpu_nodes]
        return [
            SimpleNamespace(ep_name=name, get_nodes=lambda operator=operator: [SimpleNamespace(op_type=operator)])
            for name, operator in placed
        ]

    def run_with_iobinding(self, binding: ort.IOBinding, options: ort.RunOptions) -> None:
        graph = int(options.get_run_config_entry("gpu_graph_id"))
        self.threads.add(threading.get_ident())
        if graph < 0 or self._fault == "none captured":
            self._do("run", graph, binding)
        elif (key := (threading.get_ident(), graph)) not in self._captured:
            if self._fault == "capture fails":
                raise ort_errors.Fail("operation not permitted when stream is capturing")
            self._captured[key] = binding
            self._do("capture", graph, binding)
        elif self._fault == "replay does nothing":
            self.runs.append(f"replay {graph}")
        elif self._fault == "replay is stale":
            captured = self._captured[key]
            image = next(value for value in captured._bound_inputs.values() if value is not None)
            image.update_inplace(image.numpy() * 0)
            self._do("replay", graph, captured)
        else:
            self._do("replay", graph, self._captured[key])

    def _do(self, what: str, graph: int, binding: ort.IOBinding) -> None:
        self.runs.append(f"{what} {graph}")
        self._session.run_with_iobinding(binding)
