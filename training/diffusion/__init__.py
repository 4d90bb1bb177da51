"""Diffusion: images of rare classes made by a small denoising model, and whether they help."""
