"""What a comparison found: rows, intervals, conclusion, page."""
