"""The commands of `python -m feedback`."""
