"""Fitted heads become ONNX graphs."""
