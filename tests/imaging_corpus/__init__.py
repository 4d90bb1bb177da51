"""Encoded pictures of every kind, made from a seed, each with what the decoder must say of it."""
