"""PNG: header, chunks, rows, samples of more than 8 bits."""
