"""Encoded images ──▶ pixels: the one decoder of the project, used by training and serving alike."""
