"""data set and embeddings ──▶ findings: what is wrong with the data, and parts without the rows that are not wanted."""
