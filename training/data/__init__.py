"""Images on disk become data sets, split without leaks."""
