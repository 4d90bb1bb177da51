"""The embedding network: presets, fit, embeddings that are kept."""
