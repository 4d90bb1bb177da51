"""Fitted models become ONNX graphs and the files of a bundle."""
