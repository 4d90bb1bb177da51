"""The embedding network: presets, fit, pretrained weights, embeddings that are kept."""
