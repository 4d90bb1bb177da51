"""Many images at rest become decisions at rest, without a server."""
