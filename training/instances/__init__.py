"""Things of which there are several photos: their photos, copies among them, and how embeddings are pooled."""
