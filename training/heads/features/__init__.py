"""Embedding and columns become features."""
