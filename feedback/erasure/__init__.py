"""What is recorded of one request or image ──▶ gone, from every file."""
