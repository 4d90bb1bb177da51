"""What was decided, what people said of it, and what follows: the record of decisions and its statistics."""
