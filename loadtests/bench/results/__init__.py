"""Readings of a benchmark: tables, plots and the page in `docs/`."""
