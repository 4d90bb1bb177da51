"""CSV and parquet files become columns of texts, and texts become values."""
