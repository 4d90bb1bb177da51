"""What scores chunks of images: processes of this machine, or a Ray cluster."""
