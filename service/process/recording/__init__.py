"""What a worker records of its decisions, and what it does with the record."""
