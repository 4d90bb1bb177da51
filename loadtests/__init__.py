"""Load over HTTP ──▶ latency, correctness and cost of the service's responses.

It speaks HTTP only: nothing of the other folders is imported.
"""
