"""OUTPUT: a parquet data set of whole parts, the record of its run, and what is said of it."""
