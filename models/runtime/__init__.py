"""What runs a bundle: ONNX Runtime sessions."""
