"""What cleaning found: as text, page and CSV."""
