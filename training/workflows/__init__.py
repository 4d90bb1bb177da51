"""Trainings from data to bundle, top to bottom."""
