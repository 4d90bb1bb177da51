"""Decisions that wait for a person, and the answers to them."""
