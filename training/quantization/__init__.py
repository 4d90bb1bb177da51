"""The embedder in other precisions."""
