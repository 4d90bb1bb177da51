"""What follows a store entry while the server runs: the champion, and the shadow beside it."""
