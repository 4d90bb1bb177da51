"""Encoded images ──▶ pixels: the one decoder of the project, for training and serving alike."""
