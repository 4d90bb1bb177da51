"""JPEG: header, segments, repair of harmless damage."""
