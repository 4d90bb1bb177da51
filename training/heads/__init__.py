"""Heads: classical models on embeddings and columns, their search, calibration and graphs."""
