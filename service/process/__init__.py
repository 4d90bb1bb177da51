"""What BentoML starts: supervisor, worker, start and end."""
