"""The contract between training and serving: bundle, store, pixels, policy, golden check."""

import os

# ONNX Runtime reports usage to its makers unless told otherwise before it is imported (its Privacy.md).
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
