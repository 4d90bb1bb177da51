"""The commands of ``python -m loadtests`` and their options."""
