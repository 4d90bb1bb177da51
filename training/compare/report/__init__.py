"""What a comparison found: rows, intervals, verdict, page."""
