"""How numbers, units, dates and truth values are written in tables."""
