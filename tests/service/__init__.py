"""Tests of `service/`, one file for each of its modules."""
