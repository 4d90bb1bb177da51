"""Where an embedder runs: CPU, CUDA or TensorRT, checked and never a silent fallback."""
