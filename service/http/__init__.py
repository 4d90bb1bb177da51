"""Bytes on a socket become requests, responses become bytes."""
