"""Reports of a training, for a person."""
