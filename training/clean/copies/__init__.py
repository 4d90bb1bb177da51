"""Copies of one image: fingerprints, perceptual hashes, a check pixel by pixel."""
