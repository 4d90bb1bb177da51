"""What load tests send: images, payloads, request bodies."""
