"""INPUT becomes a `Source`: paths or bytes of images, and the columns beside them."""
