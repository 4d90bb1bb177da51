"""What the tests of connections share: callers, and sites that they call."""
