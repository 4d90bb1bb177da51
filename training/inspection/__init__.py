"""data ──▶ what a training would make of it, in seconds: a dry run in which nothing is fitted."""
