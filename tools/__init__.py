"""What `make` runs on the project itself; nothing here is trained with or served."""
