"""data ──▶ network ──▶ embeddings ──▶ heads ──▶ evaluation ──▶ bundle."""
