"""Bodies of requests: content codings, JSON, forms, packed images."""
