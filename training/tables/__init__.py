"""CSV and parquet files become typed columns, labels and image paths."""
