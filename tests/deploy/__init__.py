"""Tests of what `deploy/` ships, against a service that really runs."""
