"""The contract between training and serving: bundle, store, imaging, policy, and the engine that runs a bundle."""

import os

# ONNX Runtime sends usage data to its makers unless this is set before its import (its Privacy.md).
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
