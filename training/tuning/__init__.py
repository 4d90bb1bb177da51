"""Tuning: the last blocks of a pretrained network, fitted to the user's images."""
