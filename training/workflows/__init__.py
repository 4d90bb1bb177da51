"""The trainings: each is a list of stages from data to bundle, top to bottom."""
