"""What one server process has decided ──▶ the database, by a writer of its own that costs no request its answer."""
