"""Tests of `models`, one file for each of its modules."""
