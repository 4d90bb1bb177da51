"""Tandem on public images, beside ways without it."""
