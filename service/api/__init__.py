"""Routes: bodies and queries are parsed, answers are written, the API is described."""
